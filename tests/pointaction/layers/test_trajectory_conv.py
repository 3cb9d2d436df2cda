from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import pad

from pointaction.layers.trajectory_conv import (
    TrajectoryConv,
    motion_at,
    reach,
    trace,
    trajectory_conv,
)

KERNELS = pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])


def chance(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def moving(ahead: tuple[float, float], clips: int, *size: int) -> Tensor:
    """All pixels move alike, in all frames."""
    there_and_back = torch.tensor([*ahead, -ahead[0], -ahead[1]], dtype=torch.float32)
    return there_and_back.view(1, 4, 1, 1, 1).expand(clips, 4, *size)


def taps(*weights: float) -> Tensor:
    """A kernel on one channel."""
    return torch.tensor(weights, dtype=torch.float32).view(1, 1, -1, 1, 1)


@KERNELS
def test_where_nothing_moves_it_is_a_convolution_in_time(kernel: int) -> None:
    torch_has = nn.Conv3d(6, 4, (kernel, 1, 1))
    ours = TrajectoryConv(6, 4, kernel, bias=True)
    ours.load_state_dict(torch_has.state_dict())
    x = chance(2, 6, 4, 3, 5)
    expected = torch_has(pad(x, (0, 0, 0, 0, *reach(kernel))))
    along = ours(x, trace(torch.zeros(2, 4, 4, 3, 5), kernel))
    for y in (along, ours(x)):
        torch.testing.assert_close(y, expected, rtol=0, atol=1e-6)


def test_an_even_kernel_sees_one_frame_more_of_the_future() -> None:
    assert [reach(kernel) for kernel in (1, 2, 3, 4, 5)] == [(0, 0), (0, 1), (1, 1), (1, 2), (2, 2)]


@pytest.mark.parametrize("kernel", [2, 3, 5])
def test_a_constant_shift_is_the_convolution_of_the_clip_brought_to_rest(kernel: int) -> None:
    x, (right, down) = chance(1, 3, 5, 11, 12), (2, -1)

    def shifted(clip: Tensor, by: int) -> Tensor:
        """Frame t by t times so many steps."""
        frames = [
            frame.roll((by * t * down, by * t * right), (-2, -1))
            for t, frame in enumerate(clip.unbind(2))
        ]
        return torch.stack(frames, 2)

    layer = TrajectoryConv(3, 3, kernel)
    y = layer(x, trace(moving((right, down), 1, 5, 11, 12), kernel))
    expected = shifted(layer(shifted(x, -1)), 1)
    lost = [2 * frames for frames in reach(kernel)]
    within = (..., slice(max(lost), 11 - max(lost)), slice(max(lost), 12 - max(lost)))
    torch.testing.assert_close(y[within], expected[within], rtol=0, atol=1e-6)


def test_a_path_goes_on_from_where_it_has_come_to() -> None:
    """One step from column 1 to 2 and, from there, three steps to 5."""
    x = chance(1, 1, 3, 1, 8)
    motion = torch.zeros(1, 4, 3, 1, 8)
    motion[0, 0, 0, 0, 1], motion[0, 0, 1, 0, 2] = 1, 3
    y = trajectory_conv(x, taps(0, 0, 0, 0, 1), trace(motion, 5))
    torch.testing.assert_close(y[0, 0, 0, 0, :2], x[0, 0, 2, 0, [0, 5]])


def test_the_past_is_found_by_the_motion_backwards() -> None:
    x = chance(1, 1, 3, 6, 1)
    motion = torch.zeros(1, 4, 3, 6, 1)
    motion[0, 3, 2, 1, 0], motion[0, 3, 1, 3, 0] = 2, -1
    y = trajectory_conv(x, taps(1, 0, 0, 0, 0), trace(motion, 5))
    torch.testing.assert_close(y[0, 0, 2, 1, 0], x[0, 0, 0, 2, 0])


def test_between_pixels_it_reads_their_mean() -> None:
    x = torch.tensor([1.0, 3.0, 7.0]).expand(1, 1, 2, 1, 3)
    y = trajectory_conv(x, taps(0, 0, 1), trace(moving((0.5, 0), 1, 2, 1, 3), 3))
    assert y[0, 0, 0, 0].tolist() == [2, 5, 3.5]  # half of the last is outside, and 0
    assert y[0, 0, 1, 0].tolist() == [0, 0, 0]  # after the last frame there is nothing


def test_outside_the_picture_there_is_nothing() -> None:
    x = chance(1, 1, 4, 3, 3)
    y = trajectory_conv(x, taps(1, 1, 1, 1, 1), trace(moving((1e30, -1e30), 1, 4, 3, 3), 5))
    assert y.equal(x)


def test_offsets_are_features_beside_the_appearance() -> None:
    """Before the last frame the object was 3 pixels to the left; 0.5 pixels a weight of 2."""
    layer = TrajectoryConv(1, 1, 3, told=True)
    assert layer.motion is not None
    with torch.no_grad():
        layer.motion.copy_(torch.tensor([[10.0, 0.0, 2.0, 0.0]]))
    motion = torch.zeros(1, 4, 1, 1, 1)
    motion[0, :, 0, 0, 0] = torch.tensor([0.5, 7.0, -3.0, 9.0])
    nothing = torch.zeros(1, 1, 1, 1, 1)
    assert layer(nothing, trace(motion, 3)).item() == 10 * -3 + 2 * 0.5
    assert layer(nothing).item() == 0


@pytest.mark.parametrize("kernel", [2, 5])
def test_gradients_are_right_of_features_weights_and_motion(kernel: int) -> None:
    x = chance(1, 2, 3, 2, 2, dtype=torch.float64).requires_grad_()
    weight = chance(2, 2, kernel, 1, 1, seed=1, dtype=torch.float64).requires_grad_()
    told = chance(2, 2 * (kernel - 1), seed=2, dtype=torch.float64).requires_grad_()
    # At pixels the slope by motion jumps; none of these paths meets one.
    motion = chance(1, 4, 3, 2, 2, seed=3, dtype=torch.float64).requires_grad_()

    def convolved(x: Tensor, weight: Tensor, told: Tensor, motion: Tensor) -> Tensor:
        return trajectory_conv(x, weight, trace(motion, kernel), motion=told)

    assert torch.autograd.gradcheck(convolved, (x, weight, told, motion))


@pytest.mark.parametrize("moved", [torch.zeros_like, lambda motion: motion])
def test_in_bfloat16_it_loses_no_more_than_rounding(moved: Callable[[Tensor], Tensor]) -> None:
    """Also where a picture has more columns than bfloat16 has numbers for."""
    motion = moved(moving((1, 0), 1, 3, 2, 700))
    x, layer = chance(1, 8, 3, 2, 700), TrajectoryConv(8, 4, 3)
    exact = layer(x, trace(motion, 3))
    coarse = layer.bfloat16()(x.bfloat16(), trace(motion.bfloat16(), 3))
    assert coarse.dtype == torch.bfloat16
    torch.testing.assert_close(coarse.float(), exact, rtol=0.02, atol=0.02)


def test_motion_at_half_the_size_is_half_as_far() -> None:
    motion = motion_at(moving((4, -6), 2, 3, 8, 12), (4, 3), of=(8, 12))
    assert motion.shape == (2, 4, 3, 4, 3)
    torch.testing.assert_close(motion, moving((1, -3), 2, 3, 4, 3))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    size=st.tuples(*[st.integers(1, 4)] * 3),
    kernel=st.integers(1, 7),
    far=st.sampled_from([0.0, 0.3, 5.0, 1e4, 1e38]),
)
def test_any_clip_has_a_finite_answer(size: tuple[int, ...], kernel: int, far: float) -> None:
    """However short, small or wild; and a clip of ones never gives more than the taps there are."""
    motion = (far * chance(1, 4, *size)).requires_grad_()
    y = trajectory_conv(torch.ones(1, 1, *size), taps(*[1.0] * kernel), trace(motion, kernel))
    assert y.shape == (1, 1, *size)
    assert y.min() >= 1 - 1e-5
    assert y.max() <= min(kernel, size[0]) + 1e-5
    if kernel > 1:
        y.sum().backward()
        assert motion.grad is not None
        assert motion.grad.isfinite().all()
