from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from pointaction.appearance.kinds import DINOV2_INPUT, KINDS
from pointaction.appearance.native_input import (
    HALVES,
    IMAGENET,
    Centre,
    NativeInput,
    Proportional,
    Squashed,
)
from pointaction.errors import InputError

SIZES = [(48, 64), (67, 43), (240, 321)]  # smaller than what is wanted, upright, and larger


def frame(size: tuple[int, int]) -> NDArray[np.uint8]:
    """Noise, and edges from black to white: where filters overshoot."""
    drawn = np.random.default_rng(0).integers(256, size=(*size, 3), dtype=np.uint8)
    drawn[: size[0] // 2, :, 0] = np.arange(size[1]) // 7 % 2 * 255
    return drawn


def values(native: NativeInput, size: tuple[int, int]) -> NDArray[np.float32]:
    """Before mean and deviation are taken out: 0..1."""
    (picture,) = native.pictures(torch.from_numpy(frame(size)[None]))
    mean, deviation = (np.array(each)[:, None, None] for each in (native.mean, native.deviation))
    return picture.numpy() * deviation + mean


def native(kind: str) -> NativeInput:
    transformers = pytest.importorskip("transformers")
    found = KINDS[kind]
    return found.native(getattr(transformers, found.model).config_class())


def processed(processor: Any, size: tuple[int, int]) -> NDArray[np.float32]:
    """What the reference sees, before it normalises."""
    given = processor(images=frame(size), do_normalize=False)
    return np.asarray(given["pixel_values"][0])


@pytest.mark.parametrize("size", SIZES)
def test_pictures_are_those_of_the_reference_processors(size: tuple[int, int]) -> None:
    """Those that run on Pillow, with the settings that are published with each model."""
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("PIL")
    mean, deviation = IMAGENET
    references = {
        "dinov2": transformers.BitImageProcessorPil(
            size={"shortest_edge": 256}, image_mean=mean, image_std=deviation
        ),
        "siglip": transformers.SiglipImageProcessorPil(resample=2),
        "videoprism_vision_model": transformers.SiglipImageProcessorPil(
            size={"height": 288, "width": 288}
        ),
    }
    for kind, processor in references.items():
        np.testing.assert_allclose(
            values(native(kind), size), processed(processor, size), atol=1e-6, err_msg=kind
        )


@pytest.mark.parametrize("size", SIZES)
def test_a_clip_s_frames_are_those_of_videomae_s_processor(size: tuple[int, int]) -> None:
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("PIL")
    processor = transformers.VideoMAEImageProcessorPil()
    expected = np.asarray(processor([frame(size)] * 2, do_normalize=False)["pixel_values"])[0, 1]
    np.testing.assert_allclose(values(native("videomae"), size), expected, atol=1e-6)


@pytest.mark.parametrize("size", SIZES)
def test_patches_are_those_of_siglip_2_s_processor(size: tuple[int, int]) -> None:
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("PIL")
    given = transformers.Siglip2ImageProcessorPil()(images=frame(size), do_normalize=False)
    rows, columns = given["spatial_shapes"][0]
    patches = np.asarray(given["pixel_values"][0])[: rows * columns]
    picture = patches.reshape(rows, columns, 16, 16, 3).transpose(4, 0, 2, 1, 3)
    found = values(native("siglip2_vision_model"), size)
    np.testing.assert_allclose(found, picture.reshape(3, rows * 16, columns * 16), atol=1e-6)


@pytest.mark.parametrize("size", SIZES)
def test_v_jepa_2_s_arithmetic_is_followed(size: tuple[int, int]) -> None:
    """Its processor needs torchvision, whose resize of bytes is PyTorch's own."""
    short, long = 292, int(292 * max(size) / min(size))
    resized = (long, short) if size[0] > size[1] else (short, long)
    pixels = torch.from_numpy(frame(size)).permute(2, 0, 1)[None]
    whole = interpolate(pixels, resized, mode="bilinear", antialias=True)[0]
    top, left = (resized[0] - 256) // 2, (resized[1] - 256) // 2
    expected = whole[:, top : top + 256, left : left + 256] / 255
    assert (native("vjepa2").mean, native("vjepa2").deviation) == IMAGENET
    found = values(native("vjepa2"), size)
    assert np.abs(found - expected.numpy()).max() <= 1.01 / 255


def test_mean_and_deviation_are_taken_out_per_colour() -> None:
    red = torch.zeros(1, 30, 30, 3, dtype=torch.uint8)
    red[..., 0] = 255
    (picture,) = DINOV2_INPUT.pictures(red)
    assert picture.shape == (3, 224, 224)
    expected = [(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225]
    assert picture[:, 0, 0].tolist() == pytest.approx(expected)
    assert picture.std((1, 2)).tolist() == pytest.approx([0, 0, 0], abs=1e-5)


def test_what_is_left_and_right_of_the_square_is_not_seen() -> None:
    """A frame three times as wide as high: the middle third stays, at its own size."""
    frames = torch.zeros(1, 8, 24, 3, dtype=torch.uint8)
    frames[:, :, 8:16] = 255
    native = NativeInput(
        frame=Centre(side=8, short_side=8), resample="bilinear", mean=HALVES[0], deviation=HALVES[1]
    )
    assert native.pictures(frames).eq(1).all()
    squashed = NativeInput(
        frame=Squashed(side=24), resample="bilinear", mean=HALVES[0], deviation=HALVES[1]
    ).pictures(frames)
    assert squashed[0, 0, 0, [0, 12, 23]].tolist() == [-1, 1, -1]


def test_the_largest_whole_patches_that_are_allowed_are_used() -> None:
    assert Proportional(patch=16, most=256).resized((100, 100)) == (256, 256)
    # 16 x 16 patches; of a frame twice as wide: 11 x 22 = 242, while 12 x 23 = 276 are too many.
    assert Proportional(patch=16, most=256).resized((50, 100)) == (11 * 16, 22 * 16)
    assert Proportional(patch=16, most=4).resized((1, 1000)) == (16, 64)


def test_many_frames_are_done_as_few_are() -> None:
    frames = torch.from_numpy(np.stack([frame((20, 30))] * 11))
    found = DINOV2_INPUT.pictures(frames)
    assert found.shape == (11, 3, 224, 224)
    assert found[10].equal(DINOV2_INPUT.pictures(frames[:1])[0])


def test_a_processor_s_file_is_heeded_as_far_as_it_says() -> None:
    assert DINOV2_INPUT.heeding({}) == DINOV2_INPUT
    told = {
        "size": {"shortest_edge": 40},
        "crop_size": {"height": 30, "width": 30},
        "resample": 2,
        "image_mean": [0.1, 0.2, 0.3],
        "image_std": [1, 2, 3],
    }
    assert DINOV2_INPUT.heeding(told) == NativeInput(
        frame=Centre(side=30, short_side=40),
        resample="bilinear",
        mean=(0.1, 0.2, 0.3),
        deviation=(1.0, 2.0, 3.0),
    )
    assert DINOV2_INPUT.heeding({"size": {"height": 9, "width": 9}}).frame == Squashed(side=9)
    assert DINOV2_INPUT.heeding({"do_normalize": False}).deviation == (1, 1, 1)


@pytest.mark.parametrize(
    "told",
    [
        {"size": {"shortest_edge": 40}, "crop_size": 50},  # there is nothing to cut it out of
        {"size": {"shortest_edge": 40}, "crop_size": 30, "do_center_crop": False},
        {"size": {"height": 3, "width": 4}},
        {"size": {"longest_edge": 3}},
        {"resample": 0},
        {"image_mean": [0.5], "image_std": [0.5]},
    ],
)
def test_what_cannot_be_followed_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        DINOV2_INPUT.heeding(told)
