"""Whether the pictures of an ingest go to the GPU, which is tried when a model is loaded there."""

import logging
from collections.abc import Callable

import torch

from shared.settings import Settings
from workers.encoders.preprocess import Preprocess
from workers.encoders.protocol import Encoder
from workers.ingest.device_pictures import Codec, DevicePictures
from workers.ingest.gpu_check import check
from workers.ingest.gpu_jpegs import MOST, GpuJpegs
from workers.ingest.gpu_prepare import GpuPreparer
from workers.ingest.nvjpeg import NvJpeg

logger = logging.getLogger(__name__)

# Of the device's memory for a batch, by what a decoder takes for a pixel beside the three bytes that it is.
SHARE = 16
BYTES_A_PIXEL = 8
# Pictures of 12 megapixels.
ENOUGH_PIXELS = MOST * 12_000_000


def start(settings: Settings, encoder: Encoder) -> GpuPreparer | None:
    """None where the model is on no CUDA device, by setting, and where that does not do as the CPU does.

    The log says which. Blocks, for a second.
    """
    device = torch.device(encoder.info.device)
    if settings.nvjpeg == "off" or device.type != "cuda" or not isinstance(encoder.preprocess, Preprocess):
        return None
    total = torch.cuda.get_device_properties(device).total_memory
    return begin(encoder.preprocess, lambda: NvJpeg(device), most_pixels=most_pixels(total))


def begin(preprocess: Preprocess, codec: Callable[[], Codec], *, most_pixels: int) -> GpuPreparer | None:
    """The same for any codec."""
    try:
        pictures = DevicePictures(preprocess, codec())
        check(pictures, preprocess)
    except Exception as error:  # noqa: BLE001 - what a device's libraries raise has no common kind
        logger.warning("JPEGs go the CPU's way: %s", (str(error) or type(error).__name__).splitlines()[0])
        return None
    logger.info("JPEGs go to the GPU, up to %d megapixels together", most_pixels // 10**6)
    return GpuPreparer(GpuJpegs(pictures, most_pixels=most_pixels))


def most_pixels(memory_bytes: int) -> int:
    """In one batch, for a device with so much memory."""
    return min(ENOUGH_PIXELS, memory_bytes // SHARE // BYTES_A_PIXEL)
