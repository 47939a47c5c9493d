"""JPEGs decoded and encoded by a CUDA device: torchvision's decoder, and nvJPEG's encoder as the library has it.

torchvision's encoder knows only whole colours, begins before the stream that makes a picture has done so, and fetches
what it wrote behind whatever a model has to do, while it writes the next (torchvision 0.26, encode_jpegs_cuda.cpp). Its
decoder waits for all that it began; the memory that it writes to must be idle before, which `DevicePictures` sees to by
taking its results home.
"""

import ctypes
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch

from workers.ingest.thumbnails import QUALITY

# As nvjpeg.h has them (CUDA 12 and 13).
CHANNELS = 4
RGB_PLANES = 3
SAMPLING_444, SAMPLING_420 = 0, 2
SUCCESS = 0
# Pictures that are encoded before the first is fetched.
AT_ONCE = 8


class NvJpeg:
    """On one device, by one thread at a time, over a stream of its own beside the model's. Raises RuntimeError or
    OSError where there is no nvJPEG.
    """

    def __init__(self, device: torch.device) -> None:
        # Not at the beginning: it says so in a warning where torchvision's operators do not fit torch.
        from torchvision.io import ImageReadMode, decode_jpeg

        self._device = device
        self._decode: Callable[..., list[torch.Tensor]] = decode_jpeg
        self._mode = ImageReadMode.RGB
        self._stream: Any = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        with self.turn():
            self._encoder = _Encoder(self._stream)

    def turn(self) -> AbstractContextManager[object]:
        return torch.cuda.stream(self._stream)

    def recover(self) -> None:
        # What a decoder that failed has begun still writes.
        torch.cuda.synchronize(self._device)
        torch.cuda.empty_cache()

    def decode(self, files: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        return self._decode(list(files), self._mode, device=self._device)

    def encode(self, pictures: Sequence[torch.Tensor], *, whole_colours: Sequence[bool]) -> list[bytes]:
        written: list[bytes] = []
        for first in range(0, len(pictures), AT_ONCE):
            together = slice(first, first + AT_ONCE)
            written += self._encoder.run(pictures[together], whole_colours[together])
        return written


class _Planes(ctypes.Structure):
    """nvjpegImage_t: addresses on the device, and how many bytes from one row to the next."""

    _fields_ = (("channel", ctypes.c_void_p * CHANNELS), ("pitch", ctypes.c_size_t * CHANNELS))


class _Encoder:
    """nvJPEG's, with as many states as pictures may be under way."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._on = stream, ctypes.c_void_p(stream.cuda_stream)
        self._library = ctypes.CDLL(_library())
        self._handle = self._made("nvjpegCreateSimple")
        self._states = [self._made("nvjpegEncoderStateCreate", self._handle) for _ in range(AT_ONCE)]
        self._parameters = {whole: self._sampled(SAMPLING_444 if whole else SAMPLING_420) for whole in (False, True)}

    def run(self, pictures: Sequence[torch.Tensor], whole_colours: Sequence[bool]) -> list[bytes]:
        """Of at most `AT_ONCE` contiguous pictures of the current stream."""
        under_way = list(zip(self._states, pictures, whole_colours, strict=False))
        for state, picture, whole in under_way:
            _, height, width = picture.shape
            planes = _planes(picture)
            self._call(
                "nvjpegEncodeImage",
                self._handle,
                state,
                self._parameters[whole],
                ctypes.byref(planes),
                RGB_PLANES,
                width,
                height,
                self._on,
            )
        return [self._fetched(state) for state, _, _ in under_way]

    def _fetched(self, state: ctypes.c_void_p) -> bytes:
        length = ctypes.c_size_t()
        self._call("nvjpegEncodeRetrieveBitstream", self._handle, state, None, ctypes.byref(length), self._on)
        self._stream.synchronize()
        written = ctypes.create_string_buffer(length.value)
        self._call("nvjpegEncodeRetrieveBitstream", self._handle, state, written, ctypes.byref(length), self._on)
        self._stream.synchronize()
        return written.raw[: length.value]

    def _sampled(self, sampling: int) -> ctypes.c_void_p:
        parameters = self._made("nvjpegEncoderParamsCreate", self._handle)
        self._call("nvjpegEncoderParamsSetQuality", parameters, QUALITY, self._on)
        self._call("nvjpegEncoderParamsSetSamplingFactors", parameters, sampling, self._on)
        return parameters

    def _made(self, create: str, *owner: ctypes.c_void_p) -> ctypes.c_void_p:
        """A process has one encoder, and takes what belongs to it along when it ends."""
        made = ctypes.c_void_p()
        stream = (self._on,) if owner else ()
        self._call(create, *owner, ctypes.byref(made), *stream)
        return made

    def _call(self, name: str, *arguments: Any) -> None:
        status = getattr(self._library, name)(*arguments)
        if status != SUCCESS:
            raise RuntimeError(f"{name}: status {status}")


def _planes(picture: torch.Tensor) -> _Planes:
    _, height, width = picture.shape
    addresses = [picture.data_ptr() + channel * height * width for channel in range(3)]
    return _Planes((ctypes.c_void_p * CHANNELS)(*addresses), (ctypes.c_size_t * CHANNELS)(width, width, width))


def _library() -> str:
    """The one that torchvision has loaded."""
    mapped = Path("/proc/self/maps").read_text().splitlines()
    loaded = next((line.split(maxsplit=5)[5] for line in mapped if "/libnvjpeg" in line), None)
    if loaded is None:
        raise RuntimeError("torchvision has brought no nvJPEG")
    return loaded
