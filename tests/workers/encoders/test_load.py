import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors.torch import load_file, save_file

from shared.settings import Settings, SettingsError
from tests.workers.models import TEXT, VISION, save_model
from workers import executors
from workers.device_trouble import DeviceFailed
from workers.encoders import device
from workers.encoders.load import load_encoder
from workers.encoders.torchvision_ops import open_clip

CPU = {"device": "cpu", "precision": "fp32"}


def problem(**given: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load_encoder(Settings(**{**CPU, **given}))  # type: ignore[arg-type]
    return str(caught.value)


def test_an_unknown_model_is_answered_with_close_names() -> None:
    text = problem(model="vit-b-33")
    assert text.startswith("CLIPLINE_MODEL='vit-b-33'")
    assert "ViT-B-32" in text


def test_unknown_weights_are_answered_with_close_tags() -> None:
    text = problem(model="ViT-B-32", pretrained="laion2b_s34b")
    assert text.startswith("CLIPLINE_PRETRAINED='laion2b_s34b'")
    assert "laion2b_s34b_b79k" in text


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert str(tmp_path / "nowhere") in problem(model=f"local-dir:{tmp_path / 'nowhere'}")


def test_a_folder_without_a_config_or_without_weights_says_which(tmp_path: Path) -> None:
    assert "open_clip_config.json" in problem(model=f"local-dir:{tmp_path}")
    save_model(tmp_path)
    (tmp_path / "open_clip_model.safetensors").unlink()
    assert "weights" in problem(model=f"local-dir:{tmp_path}")


def test_broken_configs_and_weights_are_settings_errors(tmp_path: Path) -> None:
    save_model(tmp_path)
    (tmp_path / "open_clip_model.safetensors").write_bytes(b"\0" * 100)
    assert problem(model=f"local-dir:{tmp_path}").startswith("CLIPLINE_MODEL='local-dir:")
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": {}}))
    assert problem(model=f"local-dir:{tmp_path}").startswith("CLIPLINE_MODEL='local-dir:")


def test_a_hub_that_is_away_is_a_settings_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert problem(model="hf-hub:nobody/nothing").startswith("CLIPLINE_MODEL='hf-hub:nobody/nothing'")
    assert problem(model="ViT-B-32", pretrained="laion2b_s34b_b79k").startswith("CLIPLINE_PRETRAINED=")


@pytest.mark.parametrize(
    ("says", "kind"),
    [
        ("CUDA error: invalid device ordinal", SettingsError),
        ("CUDA error: out of memory", DeviceFailed),
        ("CUDA error: uncorrectable ECC error encountered", DeviceFailed),
    ],
)
def test_a_device_that_is_broken_or_full_is_no_mistake_of_the_settings(
    says: str, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError(says)

    monkeypatch.setattr(torch, "empty", fails)
    with pytest.raises(kind, match=says):
        device.choose_device(Settings(device="cuda:0"))


@pytest.mark.parametrize("name", ["no-such-device", "cuda:99", "meta"])
def test_a_device_that_is_not_there_is_named(name: str, tiny_model: Path) -> None:
    assert problem(model=f"local-dir:{tiny_model}", device=name).startswith(f"CLIPLINE_DEVICE='{name}'")


def test_a_relative_folder_is_looked_up_from_the_working_directory(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_model.parent)
    encoder = load_encoder(Settings(model=f"local-dir:{tiny_model.name}", **CPU))  # type: ignore[arg-type]
    assert encoder.info.model == tiny_model.name


def test_random_weights_are_asked_for_by_name_and_the_same_everywhere(tmp_path: Path) -> None:
    (tmp_path / "tiny-for-tests.json").write_text(json.dumps({"embed_dim": 16, "vision_cfg": VISION, "text_cfg": TEXT}))
    open_clip.add_model_config(tmp_path)
    first, second = (
        load_encoder(Settings(model="tiny-for-tests", pretrained=name, **CPU))  # type: ignore[arg-type]
        for name in ("random", "")
    )
    assert first.info == second.info
    assert first.info.model == "tiny-for-tests/random"
    tokens = [first.tokenize("a cat")[0]]
    np.testing.assert_array_equal(first.encode_texts(tokens), second.encode_texts(tokens))


def test_the_automatic_choice_fits_this_machine(tiny_model: Path) -> None:
    encoder = load_encoder(Settings(model=f"local-dir:{tiny_model}"))
    assert encoder.info.device == str(device.choose_device(Settings()))
    assert encoder.info.precision in device.DTYPES


def scaled(folder: Path, factor: float) -> Path:
    """A model whose text tower's last product has weights so many times as large."""
    path = save_model(folder) / "open_clip_model.safetensors"
    weights = load_file(path)
    weights["text_projection"] = weights["text_projection"] * factor
    save_file(weights, path)
    return folder


def test_a_model_that_overflows_in_half_precision_takes_fp32(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = scaled(tmp_path, 1e6)
    encoder = load_encoder(Settings(model=f"local-dir:{folder}", device="cpu", precision="fp16"))
    assert encoder.info.precision == "fp32"
    assert "fp16 is not exact enough" in caplog.text
    assert np.isfinite(encoder.encode_texts([encoder.tokenize("a cat")[0]])).all()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_model_that_gives_no_vectors_is_a_settings_error(tmp_path: Path, precision: Any) -> None:
    folder = scaled(tmp_path, float("nan"))
    with pytest.raises(SettingsError, match=r"CLIPLINE_MODEL=.*not finite"):
        load_encoder(Settings(model=f"local-dir:{folder}", device="cpu", precision=precision))


def test_naming_the_loader_does_not_import_torch() -> None:
    probe = "import sys, workers.encoders.load, workers.batcher; print('torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.strip() == "False"


def embedded(folder: Path, **given: Any) -> npt.NDArray[np.float32]:
    """Vectors of five pictures: together, then each alone."""
    encoder = load_encoder(Settings(model=f"local-dir:{folder}", device="cpu", precision="fp32", **given))
    noise = np.random.default_rng(0).integers(0, 256, (5, *encoder.info.image_size, 3), dtype=np.uint8)
    return np.concatenate([encoder.encode_images(list(noise)), *(encoder.encode_images([one]) for one in noise)])


@pytest.mark.slow
@pytest.mark.timeout(900)  # the compiler has a core for itself only on an idle machine
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, on importing its compiler
def test_compiled_pictures_have_the_same_vectors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "compiled"))
    caplog.set_level("INFO", logger="workers")
    folder = save_model(tmp_path)
    assert np.abs(embedded(folder, compile=True) - embedded(folder)).max() < 1e-5
    if "pictures are not compiled" in caplog.text:
        pytest.skip("this machine has no compiler, or no headers of Python")
    assert "pictures are compiled" in caplog.text


def test_a_compiler_that_fails_leaves_pictures_as_they_are(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    def broken(*_: object, **__: object) -> Any:
        def call(_: object) -> None:
            raise torch._dynamo.exc.InternalTorchDynamoError("no compiler")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    folder = save_model(tmp_path)
    assert (embedded(folder, compile=True) == embedded(folder)).all()
    assert "pictures are not compiled" in caplog.text


def test_as_many_threads_compute_as_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "cpus_granted", lambda: 8)
    before = torch.get_num_threads()
    try:
        for wanted, had in ((3, 3), (0, 7)):
            assert device.size_threads(wanted) == torch.get_num_threads() == had
    finally:
        torch.set_num_threads(before)


def test_torch_keeps_one_thread_where_another_device_computes() -> None:
    """Or each decoding thread that resizes a picture would start as many as there are CPUs."""
    torch.set_num_threads(2)
    assert device.settle_threads(torch.device("cpu"), 2) == 2
    assert torch.get_num_threads() == 2
    assert device.settle_threads(torch.device("cuda"), 2) == 1
    assert torch.get_num_threads() == 1
