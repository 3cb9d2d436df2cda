from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pointaction.appearance.backbone import Features
from pointaction.appearance.cache import FeatureCache
from pointaction.clip import Clip
from pointaction.errors import InputError

CLIP, BACKBONE, OTHER = "c" * 64, "b" * 64, "d" * 64


class Brightness:
    """One token a frame, which says how bright it is; counts how often it is asked."""

    name = "brightness"
    frames = 3
    timeless = True

    def __init__(self, digest: str = BACKBONE) -> None:
        self.digest = self.sha256 = digest
        self.asked = 0

    def features(self, clips: NDArray[np.uint8] | Sequence[NDArray[np.uint8]]) -> Features:
        self.asked += 1
        assert isinstance(clips, np.ndarray)
        bright = clips.mean((1, 2), dtype=np.float32) / 3
        return Features(torch.from_numpy(bright)[None], torch.arange(len(bright)))


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path / "features")


@pytest.fixture
def clip() -> Clip:
    frames = np.random.default_rng(0).integers(256, size=(3, 4, 5, 3), dtype=np.uint8)
    return Clip.from_frames(frames, fps=1)


def some(value: float = 1.0) -> Features:
    return Features(torch.full((1, 4, 2), value), torch.tensor([0, 0, 1, 1]))


def test_what_is_kept_comes_back(cache: FeatureCache) -> None:
    assert cache.get(CLIP, BACKBONE) is None
    cache.put(CLIP, BACKBONE, some(0.5))
    kept = cache.get(CLIP, BACKBONE)
    assert kept is not None
    assert kept.tokens.equal(some(0.5).tokens)
    assert kept.time.equal(some().time)
    assert (kept.tokens.dtype, kept.time.dtype) == (torch.float32, torch.int64)


def test_features_of_another_clip_or_backbone_are_others(cache: FeatureCache) -> None:
    cache.put(CLIP, BACKBONE, some())
    assert cache.get(OTHER, BACKBONE) is None
    assert cache.get(CLIP, OTHER) is None


def test_a_clip_is_looked_at_once_by_each_backbone(cache: FeatureCache, clip: Clip) -> None:
    backbone, other = Brightness(), Brightness(OTHER)
    first = cache.features(backbone, clip)
    again = cache.features(backbone, clip)
    assert backbone.asked == 1
    assert again.tokens.equal(first.tokens)  # the first answer was rounded as well
    torch.testing.assert_close(
        first.tokens, backbone.features(clip.frames).tokens, rtol=1e-3, atol=0
    )
    cache.features(other, clip)
    assert other.asked == 1


def test_a_damaged_file_is_found_again(cache: FeatureCache, clip: Clip) -> None:
    backbone = Brightness()
    cache.features(backbone, clip)
    (file,) = cache.folder.rglob("*.safetensors")
    file.write_bytes(file.read_bytes()[:20])
    assert cache.get(clip.sha256, BACKBONE) is None
    cache.features(backbone, clip)
    assert backbone.asked == 2
    assert cache.get(clip.sha256, BACKBONE) is not None


def test_an_interruption_leaves_nothing(
    cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*file: object) -> None:
        raise OSError(28, "No space left on device")

    cache.put(CLIP, BACKBONE, some(1))
    with monkeypatch.context() as patched:
        patched.setattr("os.replace", full)
        with pytest.raises(OSError, match="No space"):
            cache.put(CLIP, BACKBONE, some(2))
    assert [file.name for file in (cache.folder / BACKBONE).iterdir()] == [f"{CLIP}.safetensors"]
    kept = cache.get(CLIP, BACKBONE)
    assert kept is not None
    assert kept.tokens.equal(some(1).tokens)


@pytest.mark.parametrize("value", [float("nan"), 1e6])  # a half reaches to 65,504
def test_what_halves_cannot_hold_is_not_kept(cache: FeatureCache, value: float) -> None:
    with pytest.raises(InputError, match="are not finite, so they are not kept"):
        cache.put(CLIP, BACKBONE, some(value))
    assert cache.get(CLIP, BACKBONE) is None


@pytest.mark.parametrize("name", ["../" * 21 + "a", "short", "C" * 64])
def test_only_digests_name_files(cache: FeatureCache, name: str) -> None:
    with pytest.raises(InputError, match="is no SHA-256"):
        cache.get(name, BACKBONE)
    with pytest.raises(InputError, match="is no SHA-256"):
        cache.put(CLIP, name, some())
