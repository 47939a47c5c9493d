import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from workers.encoders.patches import Patches, may_be_patches

CPU = torch.device("cpu")


@given(
    patch=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    grid=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    left_over=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    has_bias=st.booleans(),
)
@torch.inference_mode()
def test_patches_are_what_the_convolution_gives(
    patch: tuple[int, int], grid: tuple[int, int], left_over: tuple[int, int], has_bias: bool
) -> None:
    convolution = nn.Conv2d(3, 8, kernel_size=patch, stride=patch, bias=has_bias)
    assert may_be_patches(convolution)
    height, width = (
        side * count + min(more, side - 1) for side, count, more in zip(patch, grid, left_over, strict=True)
    )
    x = torch.randn(2, 3, height, width)
    found = Patches(convolution, device=CPU, dtype=torch.float32, may_pack=True)(x)
    torch.testing.assert_close(found, convolution(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "convolution",
    [
        nn.Conv2d(3, 8, kernel_size=4, stride=2),
        nn.Conv2d(3, 8, kernel_size=4, stride=4, padding=1),
        nn.Conv2d(3, 9, kernel_size=4, stride=4, groups=3),
        nn.Conv2d(3, 8, kernel_size=2, stride=2, dilation=2),
        nn.Linear(3, 8),
    ],
)
def test_other_layers_are_left_as_they_are(convolution: nn.Module) -> None:
    assert not may_be_patches(convolution)
