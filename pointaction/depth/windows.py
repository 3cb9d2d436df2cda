"""A video of any length through a network that holds 32 frames, as Video Depth Anything does it.

S. Chen et al., "Video Depth Anything: Consistent Depth Estimation for Super-Long Videos" (2025),
with the numbers of their published code. Windows of 32 frames overlap by ten. Those are not the
ten frames before the new ones: two are key frames from long before (slots 0 and 12 of the window
before, so that the very first frame is seen for ever), and eight are its last. The network knows
depth up to a scale and a shift per window; a window is brought to those of the one before by the
key frames, which both have seen, and blended with it over the eight.

Same results as the original's, with less work and memory: a frame is encoded once, however many
windows hold it; the copies of the last frame that fill up the last window are neither encoded nor
given depth; a window that would change nothing is left out; maps leave as soon as they are final.

Shapes:  F frames of a window   H, W pixels
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

import torch
from torch import Tensor

from pointaction.depth.video_depth_anything import WINDOW

_KEY_FRAMES = (0, 12)  # slots of a window that the next one begins with
_BLEND = 8  # frames over which one window gives way to the next
_CARRIED = (*_KEY_FRAMES, *range(WINDOW - _BLEND, WINDOW))  # slots that the next one repeats

Frame = TypeVar("Frame")
Encoded = TypeVar("Encoded")


def depth_maps(
    frames: Iterable[Frame],
    *,
    encode: Callable[[list[Frame]], list[Encoded]],
    decode: Callable[[list[Encoded], int], Tensor],
) -> Iterator[Tensor]:
    """A map (H, W) for each of the frames, in order, all in one scale and shift.

    `encode` tells of each frame by itself; `decode` gives maps (F, H, W) of the first F of 32
    encoded frames. One window of frames is held at a time, however long the video.
    """
    return stitched(window_maps(frames, encode=encode, decode=decode))


def window_maps(
    frames: Iterable[Frame],
    *,
    encode: Callable[[list[Frame]], list[Encoded]],
    decode: Callable[[list[Encoded], int], Tensor],
) -> Iterator[Tensor]:
    """Maps (F, H, W) of each window, as decoded: F = 32, or fewer in the last."""
    coming = iter(frames)
    window = encode(list(islice(coming, WINDOW)))
    while window:
        count = len(window)
        yield decode(window + [window[-1]] * (WINDOW - count), count)
        if count <= WINDOW - _BLEND:  # the next one would have nothing to blend, and nothing new
            break
        window = [window[slot] for slot in _CARRIED if slot < count]
        window = window + encode(list(islice(coming, WINDOW - len(_CARRIED))))


def window_count(frames: int) -> int:
    """How many windows `window_maps` makes of a video of so many frames."""
    fresh = WINDOW - len(_CARRIED)  # frames that a window adds
    return 1 + max(0, -(-(frames - (WINDOW - _BLEND)) // fresh))


def stitched(windows: Iterable[Tensor]) -> Iterator[Tensor]:
    """Maps (H, W) in order, from windows of maps (F, H, W): 32, or fewer in the last."""
    first = tail = references = torch.empty(0)
    for number, maps in enumerate(windows):
        fresh = 0
        if number == 0:
            first = maps[0]
        else:
            scale, shift = fit(maps[: len(_KEY_FRAMES)], references)
            maps = (maps * scale + shift).clamp(min=0)
            met, fresh = len(_KEY_FRAMES), len(_CARRIED)
            yield from blended(tail, maps[met : met + len(tail)])
        yield from maps[fresh : WINDOW - _BLEND]
        tail = maps[WINDOW - _BLEND :]
        # The first reference stays that of the first window, so that scale and shift do not drift.
        references = torch.stack([first, maps[_KEY_FRAMES[1]]]) if len(tail) else references
    yield from tail


def fit(maps: Tensor, references: Tensor) -> tuple[float, float]:
    """The scale and shift that bring maps nearest to references, by least squares over pixels.

    1 and 0 where the maps are the same everywhere, and so could be brought anywhere.
    """
    x, y = maps.double(), references.double()
    deviation = x - x.mean()
    spread = deviation.square().sum()
    if spread == 0:
        return 1.0, 0.0
    scale = (deviation * y).sum() / spread
    return scale.item(), (y.mean() - scale * x.mean()).item()


def blended(before: Tensor, after: Tensor) -> Tensor:
    """Up to eight maps (F, H, W) of which the first is as before and the eighth as after."""
    share = torch.linspace(0, 1, _BLEND, device=after.device)[: len(after), None, None]
    return before * (1 - share) + after * share
