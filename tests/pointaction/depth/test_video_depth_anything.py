import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from pointaction.depth.network_input import network_input
from pointaction.depth.video_depth_anything import (
    DepthHeadConfig,
    FrameNumbers,
    VideoDepthNetwork,
    video_depth_anything_base,
    video_depth_anything_large,
    video_depth_anything_small,
)
from pointaction.models.dinov2 import DINOv2, DINOv2Config
from tests.formulas import film
from tests.pointaction.depth.official import DATA, GOLDEN, filled


@pytest.fixture(scope="module")
def network() -> VideoDepthNetwork:
    return filled()


@pytest.fixture(scope="module")
def depth(network: VideoDepthNetwork) -> Tensor:
    """What we make of the reference's video: (8, 70, 98)."""
    frames = torch.from_numpy(film(8, 70, 98)).permute(0, 2, 3, 1)
    with torch.inference_mode():
        return network(network_input(frames, (70, 98))[None])[0]


@pytest.fixture
def pictures() -> Tensor:
    return torch.randn(6, 3, 28, 42, generator=Generator().manual_seed(0))


def test_depth_is_that_of_the_reference(depth: Tensor) -> None:
    expected = np.load(DATA / "video_depth_anything.npz", allow_pickle=False)["depth"]
    assert np.abs(depth[:, ::5, ::7].numpy() - expected).max() < 1e-4
    assert expected.std() > 1  # it is not all alike


@pytest.mark.skipif(not GOLDEN.exists(), reason="the whole reference outputs are not at hand")
def test_depth_and_features_are_those_of_the_reference_everywhere(
    network: VideoDepthNetwork, depth: Tensor
) -> None:
    golden = np.load(GOLDEN / "vda_small.npz", allow_pickle=False)
    assert np.abs(depth.numpy() - golden["depth"]).max() < 1e-4
    frames = torch.from_numpy(film(3, 70, 98)[2:]).permute(0, 2, 3, 1)
    with torch.inference_mode():
        features = network.pretrained(network_input(frames, (70, 98)), (2, 5, 8, 11))
    for layer, ours in zip((2, 5, 8, 11), features, strict=True):
        theirs = golden[f"feat_block{layer}_frame2"]
        assert np.abs(ours[0].numpy() - theirs).max() < 1e-4


def test_parameters_have_the_official_names_and_shapes(network: VideoDepthNetwork) -> None:
    data = np.load(DATA / "video_depth_anything.npz", allow_pickle=False)
    ours = {name: "x".join(map(str, each.shape)) for name, each in network.state_dict().items()}
    assert ours == dict(zip(data["names"].tolist(), data["shapes"].tolist(), strict=True))
    assert len(ours) == 351


def test_a_checkpoint_that_does_not_fit_is_refused_by_name() -> None:
    backbone = DINOv2(DINOv2Config(width=32, heads=2))
    network = VideoDepthNetwork(backbone, DepthHeadConfig(channels=(32, 32, 32, 32), width=32))
    state = dict(network.state_dict())
    state["head.surplus"] = state.pop("head.scratch.layer1_rn.weight")
    with pytest.raises(RuntimeError) as refused:
        network.load_state_dict(state, strict=True)
    assert "head.scratch.layer1_rn.weight" in str(refused.value)
    assert "head.surplus" in str(refused.value)


def test_the_larger_ones_differ_in_width_and_depth_alone() -> None:
    with torch.device("meta"):
        small, base, large = (
            make()
            for make in (
                video_depth_anything_small,
                video_depth_anything_base,
                video_depth_anything_large,
            )
        )
    names = set(small.state_dict())
    assert set(base.state_dict()) == names
    more = {name for name in large.state_dict() if name not in names}
    assert {name.split(".")[2] for name in more} == {str(layer) for layer in range(12, 24)}
    assert large.state_dict()["head.projects.0.weight"].shape == (256, 1024, 1, 1)
    assert base.state_dict()["head.scratch.output_conv1.weight"].shape == (64, 128, 3, 3)
    pictures = torch.zeros(2, 3, 28, 28, device="meta")
    assert base.head.mix(base.encode(pictures)).shape == (2, 128, 4, 4)
    assert large.head.mix(large.encode(pictures)).shape == (2, 256, 4, 4)


def test_a_frame_is_seen_in_the_light_of_the_others(
    network: VideoDepthNetwork, pictures: Tensor
) -> None:
    swapped = pictures[[1, 0, 2, 3, 4, 5]]
    with torch.inference_mode():
        one, other = network(torch.stack([pictures, swapped]))
    assert (one[5] - other[5]).abs().max() > 1e-2


def test_what_is_known_of_a_frame_by_itself_does_not_depend_on_its_company(
    network: VideoDepthNetwork, pictures: Tensor
) -> None:
    with torch.inference_mode():
        together = network.encode(pictures)
        alone = [network.encode(picture[None])[0] for picture in pictures]
        torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(
            network.decode(alone), network(pictures[None])[0], rtol=1e-4, atol=1e-4
        )


def test_the_first_few_alone_are_as_they_are_among_all(
    network: VideoDepthNetwork, pictures: Tensor
) -> None:
    with torch.inference_mode():
        frames = network.encode(pictures)
        few, all_of_them = network.decode(frames, wanted=5), network.decode(frames)
    assert len(all_of_them) == 6
    torch.testing.assert_close(few, all_of_them[:5], rtol=1e-4, atol=1e-4)


def test_places_are_mixed_over_time_alike_in_parts_and_at_once(
    network: VideoDepthNetwork, pictures: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with torch.inference_mode():
        frames = network.encode(pictures)
        at_once = network.decode(frames)
        monkeypatch.setattr("pointaction.depth.video_depth_anything._TOKENS", 12)
        torch.testing.assert_close(network.decode(frames), at_once, rtol=1e-4, atol=1e-4)


def test_frames_are_numbered_by_sines_and_cosines() -> None:
    table = FrameNumbers(4).pe[0]
    assert table[0].tolist() == [0, 1, 0, 1]
    expected = torch.tensor([3.0, 3.0, 0.03, 0.03])
    torch.testing.assert_close(table[3, ::2], expected[::2].sin())
    torch.testing.assert_close(table[3, 1::2], expected[1::2].cos())
