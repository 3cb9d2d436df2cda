"""Winograd's way is another way to the same convolution."""

import torch
from torch.nn import functional

from pointaction.tracking.winograd import Winograd


def test_winograd_is_the_convolution_whatever_the_size() -> None:
    random = torch.Generator().manual_seed(0)
    weight = torch.randn(5, 7, 3, 3, generator=random)
    for height, width in ((16, 20), (18, 21), (3, 1)):
        ready = Winograd(weight, (height, width))
        for _ in range(2):  # the second call finds what the first one left behind
            x = torch.randn(1, 7, height, width, generator=random)
            expected = functional.conv2d(x, weight, padding=1)
            torch.testing.assert_close(ready(x.split([3, 4], 1)), expected, rtol=0, atol=1e-3)
