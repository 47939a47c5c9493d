"""Which model the settings name, and its creation through open_clip with errors that an operator can act on."""

import difflib
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import nn

from shared.settings import Settings, SettingsError
from workers.encoders.torchvision_ops import open_clip

logger = logging.getLogger(__name__)

LOCAL, HUB = "local-dir:", "hf-hub:"
RANDOM = frozenset({"", "random"})
WEIGHTS = ("*.safetensors", "*.bin", "*.pth")


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A model in open_clip's words; `pretrained` is None for random weights, and where the name says it all."""

    name: str
    label: str
    pretrained: str | None = None
    random: bool = False
    variable: str = "CLIPLINE_MODEL"

    def error(self, problem: object) -> SettingsError:
        first_line = str(problem).strip().partition("\n")[0]
        return SettingsError(f"{self.variable}={self.pretrained or self.name!r}: {first_line}")


def resolve(settings: Settings) -> Source:
    """Raises SettingsError for a missing folder, and for a name or a tag that open_clip does not know."""
    if settings.model.startswith(LOCAL):
        return _folder(settings.model.removeprefix(LOCAL))
    if settings.model.startswith(HUB):
        return Source(name=settings.model, label=settings.model.removeprefix(HUB))
    return _named(settings)


def _folder(given: str) -> Source:
    folder = Path(given).expanduser()
    source = Source(name=f"{LOCAL}{folder}", label=folder.resolve().name)
    if not folder.is_dir():
        raise source.error(f"there is no folder {folder.absolute()}")
    if not (folder / "open_clip_config.json").is_file():
        raise source.error(f"{folder.absolute()} holds no open_clip_config.json")
    if not any(match for pattern in WEIGHTS for match in folder.glob(pattern)):
        raise source.error(f"{folder.absolute()} holds no weights ({', '.join(WEIGHTS)})")
    return source


def _named(settings: Settings) -> Source:
    name, pretrained = settings.model, settings.pretrained
    if name not in open_clip.list_models():
        hint = _suggest(name, open_clip.list_models())
        raise SettingsError(f"CLIPLINE_MODEL={name!r}: open_clip has no such model{hint}")
    if pretrained in RANDOM:
        return Source(name=name, label=f"{name}/random", random=True)
    tags = open_clip.list_pretrained_tags_by_model(name)
    if pretrained not in tags and not Path(pretrained).is_file():
        hint = _suggest(pretrained, tags) or f"; it has {', '.join(tags) or 'none'}"
        raise SettingsError(f"CLIPLINE_PRETRAINED={pretrained!r}: neither a file nor weights of {name}{hint}")
    label = f"{name}/{Path(pretrained).name}"
    return Source(name=name, label=label, pretrained=pretrained, variable="CLIPLINE_PRETRAINED")


def _suggest(name: str, known: Iterable[str]) -> str:
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=3)
    return f"; did you mean {', '.join(by_lower[match] for match in close)}?" if close else ""


def create(source: Source) -> nn.Module:
    """The model in fp32 on the CPU, ready for inference. Raises SettingsError for what cannot be had or read."""
    if source.random:
        logger.warning("the weights of %s are random, as asked: its answers mean nothing", source.name)
    try:
        # The same random weights in every process, or its vectors could not be compared with another's.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model: nn.Module = open_clip.create_model(
                source.name,
                pretrained=source.pretrained,
                force_quick_gelu=_wants_quick_gelu(source),
                require_pretrained=not source.random,
                pretrained_text=False,
            )
    except Exception as error:
        raise source.error(error) from error
    return model.eval().requires_grad_(requires_grad=False)


def _wants_quick_gelu(source: Source) -> bool:
    """Weights trained with QuickGELU answer badly without it, and open_clip only warns."""
    return bool(source.pretrained and open_clip.get_pretrained_cfg(source.name, source.pretrained).get("quick_gelu"))


def config(source: Source) -> Mapping[str, Any]:
    """The architecture, for the fingerprint."""
    found: dict[str, Any] = open_clip.get_model_config(source.name)
    return {**found, "quick_gelu": found.get("quick_gelu", False) or _wants_quick_gelu(source)}


def tokenizer(source: Source) -> Any:
    """Raises SettingsError where its vocabulary, or the package that reads it, is not there."""
    try:
        made = open_clip.get_tokenizer(source.name)
    except Exception as error:
        raise source.error(f"its tokenizer cannot be had: {error}") from error
    if getattr(made, "reduction_fn", None) is not None:
        # Meant for training: it drops words at random from a text that is too long, instead of cutting its end.
        made.reduction_fn = None
    return made
