"""An encoder put together: model, tokenizer, exact shortcuts, device and precision, each checked before it serves."""

import logging
from typing import Any

import msgspec
import numpy as np
import torch

from shared.settings import Settings
from workers.encoders import device, models
from workers.encoders.fingerprint import fingerprint
from workers.encoders.openclip import OpenClipEncoder
from workers.encoders.preprocess import Preprocess, from_config
from workers.encoders.protocol import EncoderInfo, Matrix
from workers.encoders.text_truncation import PROBES
from workers.encoders.tokens import Texts, Tokenizer
from workers.encoders.torchvision_ops import open_clip
from workers.encoders.towers import Shortcuts, Towers, prove

logger = logging.getLogger(__name__)

# Below this cosine to its own fp32 vectors a half-precision model ranks differently, and fp32 is used instead.
LEAST_COSINE = 0.999
CPU = torch.device("cpu")


class _Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What does not depend on device and precision; the model is in fp32 on the CPU."""

    label: str
    fingerprint: str
    model: Any  # open_clip's classes share no type but nn.Module
    dim: int
    texts: Texts
    context_length: int
    preprocess: Preprocess
    shortcuts: Shortcuts


def assemble(settings: Settings) -> OpenClipEncoder:
    """Raises SettingsError, naming the variable, for what cannot be had."""
    # First: replicas are forked from who assembles with one thread, and the fork of a process that has computed with
    # more waits for threads that it has not.
    threads = device.size_threads(settings.threads)
    target = device.choose_device(settings)
    precision = device.choose_precision(settings, target)
    source = models.resolve(settings)
    parts = _load(source)
    encoder = _encoder(parts, CPU, "fp32")
    try:
        exact = _probe(encoder)
    except ArithmeticError as error:
        raise source.error(error) from error
    if (target, precision) != (CPU, "fp32"):
        encoder = _checked(parts, target, precision, exact)
    if settings.compile:
        encoder = _compiled(parts, encoder, exact)
    threads = device.settle_threads(target, threads)
    info = encoder.info
    logger.info("%s on %s in %s, %d threads: %s", info.model, info.device, info.precision, threads, info.fingerprint)
    return encoder


def _load(source: models.Source) -> _Parts:
    model, tokenizer = models.create(source), models.tokenizer(source)
    preprocess = from_config(open_clip.get_model_preprocess_cfg(model))
    return _Parts(
        label=source.label,
        fingerprint=fingerprint(model, models.config(source), preprocess),
        model=model,
        dim=_dim(model, tokenizer),
        texts=Texts(tokenizer, context_length=tokenizer.context_length),
        context_length=tokenizer.context_length,
        preprocess=preprocess,
        shortcuts=prove(model, tokenizer, preprocess.size),
    )


def _checked(parts: _Parts, target: torch.device, precision: str, exact: Matrix) -> OpenClipEncoder:
    """An encoder whose vectors are those of fp32 on the CPU, as near as its fingerprint promises."""
    encoder = _encoder(parts, target, precision)
    try:
        cosine = _least_cosine(encoder, exact)
    except ArithmeticError:
        # Numbers that fp32 has room for are too large for fp16.
        cosine = 0.0
    if cosine >= LEAST_COSINE:
        return encoder
    logger.warning("%s is not exact enough for this model (cosine %.4f), using fp32", precision, cosine)
    return _encoder(parts, target, "fp32")


def _compiled(parts: _Parts, encoder: OpenClipEncoder, exact: Matrix) -> OpenClipEncoder:
    """The encoder with its picture tower compiled; as it is where that fails or changes vectors."""
    info = encoder.info
    try:
        compiled = _encoder(parts, torch.device(info.device), info.precision, compiled=True)
        cosine = _least_cosine(compiled, exact)
        # One alone is compiled apart from several.
        compiled.encode_images([np.zeros((*info.image_size, 3), dtype=np.uint8)])
    except Exception as error:  # noqa: BLE001 - a compiler calls others, and each fails in its own way
        logger.warning("pictures are not compiled: %s", (str(error) or type(error).__name__).splitlines()[0])
        return encoder
    if cosine < LEAST_COSINE:
        logger.warning("pictures are not compiled: that changes their vectors (cosine %.4f)", cosine)
        return encoder
    logger.info("pictures are compiled: cosine %.6f to fp32 vectors", cosine)
    return compiled


def _least_cosine(encoder: OpenClipEncoder, exact: Matrix) -> float:
    return float((_probe(encoder) * exact).sum(axis=1).min())


def _probe(encoder: OpenClipEncoder) -> Matrix:
    """Vectors of a few texts and pictures; they warm the device up as well."""
    height, width = encoder.info.image_size
    noise = np.random.default_rng(0).integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    texts = encoder.encode_texts([encoder.tokenize(text)[0] for text in PROBES])
    return np.concatenate([texts, encoder.encode_images(list(noise))])


def _encoder(parts: _Parts, target: torch.device, precision: str, *, compiled: bool = False) -> OpenClipEncoder:
    info = EncoderInfo(
        model=parts.label,
        fingerprint=parts.fingerprint,
        dim=parts.dim,
        image_size=parts.preprocess.size,
        context_length=parts.context_length,
        device=str(target),
        precision=precision,
    )
    towers = Towers(parts.model, device=target, dtype=device.DTYPES[precision], compiled=compiled)
    return OpenClipEncoder(
        info=info,
        texts=parts.texts,
        text_tower=towers.texts(parts.shortcuts.texts),
        picture_tower=towers.pictures(parts.shortcuts.pictures),
        preprocess=parts.preprocess,
        # What was compiled brings its own kernels, and starts them itself.
        may_capture=not compiled,
    )


@torch.inference_mode()
def _dim(model: Any, tokenizer: Tokenizer) -> int:
    return int(model.encode_text(tokenizer([""])).shape[-1])
