"""Pictures on their way to a device that reads them as late as it may; the real way is tested where there is a GPU."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from workers.encoders.protocol import Pixels
from workers.encoders.staging import CHUNK, TURNS, CudaCopies, Staging

SIZE = (4, 6)


class LateCopies:
    """Copies nothing before it is waited for, which is the latest moment that a device's stream leaves itself.

    A buffer that is filled too early arrives with other pictures than were sent.
    """

    def __init__(self) -> None:
        self.buffers: list[torch.Tensor] = []
        self.sent: list[torch.Tensor] = []
        self._under_way: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def buffer(self, shape: tuple[int, ...]) -> torch.Tensor:
        self.buffers.append(torch.full(shape, 255, dtype=torch.uint8))
        return self.buffers[-1]

    def wait(self, turn: int) -> None:
        if turn in self._under_way:
            there, here = self._under_way.pop(turn)
            there.copy_(here)

    def send(self, pixels: torch.Tensor, turn: int) -> torch.Tensor:
        assert turn not in self._under_way, "nobody knows whether the copy before has been read"
        there = torch.zeros_like(pixels)
        self._under_way[turn] = there, pixels
        self.sent.append(pixels)
        return there

    def settle(self) -> None:
        """The device has come to the end."""
        for turn in range(TURNS):
            self.wait(turn)


def pictures(count: int, *, seed: int = 0) -> list[Pixels]:
    return list(np.random.default_rng(seed).integers(0, 256, (count, *SIZE, 3), dtype=np.uint8))


def arrived(staging: Staging, copies: LateCopies, images: Sequence[Pixels]) -> torch.Tensor:
    """What the device sees, read only after everything was sent."""
    seen = 0

    def encode(pixels: torch.Tensor) -> torch.Tensor:
        nonlocal seen
        seen += len(pixels)
        if seen == len(images):
            copies.settle()
        return pixels

    return staging.run(images, encode)


@pytest.fixture
def copies() -> LateCopies:
    return LateCopies()


@pytest.fixture
def staging(copies: LateCopies) -> Staging:
    return Staging(SIZE, copies=copies)


@pytest.mark.parametrize("count", [1, CHUNK - 1, CHUNK, CHUNK + 1, TURNS * CHUNK, 5 * CHUNK + 3])
def test_every_picture_arrives_once_and_in_its_place(staging: Staging, copies: LateCopies, count: int) -> None:
    images = pictures(count)
    assert np.array_equal(arrived(staging, copies, images).numpy(), np.stack(images))


def test_a_shorter_chunk_brings_nothing_of_what_lay_in_its_buffer(staging: Staging, copies: LateCopies) -> None:
    for number, count in enumerate((3 * CHUNK, 2, CHUNK + 5, 1)):
        images = pictures(count, seed=number)
        assert np.array_equal(arrived(staging, copies, images).numpy(), np.stack(images))


def test_two_buffers_are_all_the_memory_however_many_pictures_come(staging: Staging, copies: LateCopies) -> None:
    for count in (7 * CHUNK + 1, 3):
        arrived(staging, copies, pictures(count))
    assert [tuple(one.shape) for one in copies.buffers] == [(CHUNK, *SIZE, 3)] * TURNS
    places = [one.data_ptr() for one in copies.buffers]
    assert [one.data_ptr() for one in copies.sent] == [places[turn % TURNS] for turn in (*range(8), 0)]
    assert max(len(one) for one in copies.sent) == CHUNK


@pytest.mark.parametrize("bad", [0, CHUNK + 1])
def test_a_picture_of_another_size_is_refused_and_spoils_no_later_run(
    staging: Staging, copies: LateCopies, bad: int
) -> None:
    images = pictures(2 * CHUNK)
    images[bad] = np.zeros((SIZE[0] + 1, SIZE[1], 3), dtype=np.uint8)
    with pytest.raises(ValueError, match="shape"):
        arrived(staging, copies, images)
    later = pictures(3 * CHUNK, seed=1)
    assert np.array_equal(arrived(staging, copies, later).numpy(), np.stack(later))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_on_a_gpu_pictures_arrive_while_others_are_computed() -> None:
    device = torch.device("cuda")
    staging = Staging((224, 224), copies=CudaCopies(device))
    images = list(np.random.default_rng(0).integers(0, 256, (5 * CHUNK + 3, 224, 224, 3), dtype=np.uint8))
    busy = torch.rand((4096, 4096), device=device)

    def encode(pixels: torch.Tensor) -> torch.Tensor:
        # Work that the next copies overtake, if they do not wait.
        for _ in range(20):
            torch.mm(busy, busy)
        return pixels.flatten(1).clone()

    for _ in range(3):
        found = staging.run(images, encode).cpu().numpy()
        assert np.array_equal(found, np.stack(images).reshape(len(images), -1))
