from pathlib import Path

import pytest
import torch
from torch import Generator, Tensor, nn

from pointaction.models.dinov2 import (
    DINOv2,
    DINOv2Config,
    begin,
    dinov2_base,
    dinov2_large,
    dinov2_small,
    dinov2_tiny,
    load_dinov2,
)
from pointaction.models.files import save_network


@pytest.fixture(scope="module")
def model() -> DINOv2:
    """A tiny one, with every parameter at random."""
    model = DINOv2(DINOv2Config(width=24, layers=3, heads=2))
    generator = Generator().manual_seed(0)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3, generator=generator)
    return model.eval().requires_grad_(False)


@pytest.fixture
def pictures() -> Tensor:
    return torch.randn(3, 3, 28, 42, generator=Generator().manual_seed(1))


def test_sizes_are_those_of_the_paper() -> None:
    with torch.device("meta"):
        sizes = [
            sum(each.numel() for each in make().parameters())
            for make in (dinov2_tiny, dinov2_small, dinov2_base, dinov2_large)
        ]
    assert sizes == [5_719_872, 22_056_576, 86_580_480, 304_368_640]


def test_patches_come_row_by_row(model: DINOv2, pictures: Tensor) -> None:
    (features,) = model(pictures, (2,))
    assert features.shape == (3, 2 * 3, 24)


def test_a_layer_is_the_same_whichever_others_are_asked_for(
    model: DINOv2, pictures: Tensor
) -> None:
    first, last = model(pictures, (0, 2))
    torch.testing.assert_close(model(pictures, (0,))[0], first)
    torch.testing.assert_close(model(pictures, (2,))[0], last)


def test_each_picture_is_seen_by_itself(model: DINOv2, pictures: Tensor) -> None:
    (together,) = model(pictures, (2,))
    (alone,) = model(pictures[1:2], (2,))
    torch.testing.assert_close(together[1:2], alone, rtol=1e-4, atol=1e-5)


def test_the_position_table_is_used_as_it_is_where_it_fits(model: DINOv2) -> None:
    assert model.positions(37, 37) is model.pos_embed


def test_positions_of_another_grid_lie_along_the_same_ramp() -> None:
    """Of a table that holds the number of its column; the ratio is 37 / 18.1, not 37 / 18."""
    model = DINOv2(DINOv2Config(width=2, layers=1, heads=1)).requires_grad_(False)
    model.pos_embed[0, 1:] = torch.arange(37.0).expand(37, 37).reshape(-1, 1)
    model.pos_embed[0, 0] = 99.0
    positions = model.positions(37, 18)
    assert positions[0, 0].tolist() == [99.0, 99.0]
    row = positions[0, 1:, 0].unflatten(0, (37, 18))[18, :-1]
    centre = torch.arange(17) + 0.5
    assert torch.allclose(row, centre * 37 / 18.1 - 0.5, rtol=0, atol=0.1)
    assert not torch.allclose(row, centre * 37 / 18 - 0.5, rtol=0, atol=0.1)


def test_a_network_that_begins_sees_where_a_patch_lies_at_any_size() -> None:
    """Of equal patches, no two have the same features; with official scales all nearly would."""
    model = DINOv2(DINOv2Config(width=24, layers=3, heads=2)).eval().requires_grad_(False)
    begin(model, Generator().manual_seed(0))
    for side in (42, 112):
        (features,) = model(torch.zeros(1, 3, side, side), (2,))
        apart = torch.cdist(features[0], features[0])
        apart.fill_diagonal_(torch.inf)
        assert apart.min() > 0.01


def test_a_file_has_the_network_back(model: DINOv2, pictures: Tensor, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_network(model, path, half=False)
    again = load_dinov2(path)
    assert again.config == model.config
    assert torch.equal(again(pictures, (2,))[0], model(pictures, (2,))[0])


def test_features_are_those_of_the_transformers_library(model: DINOv2) -> None:
    """At the table's own grid: for others that library resizes the table in a way of its own."""
    transformers = pytest.importorskip("transformers")
    config = transformers.Dinov2Config(hidden_size=24, num_hidden_layers=3, num_attention_heads=2)
    config.image_size = 518
    theirs = transformers.Dinov2Model(config).eval().requires_grad_(False)
    theirs.load_state_dict(
        {theirs_for(name): each for name, each in split(model.state_dict()).items()}
    )
    picture = torch.randn(1, 3, 518, 518, generator=Generator().manual_seed(2))
    (ours,) = model(picture, (2,))
    expected = theirs(picture).last_hidden_state[:, 1:]
    torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-3)


def split(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Queries, keys and values apart, as that library has them."""
    apart: dict[str, Tensor] = {}
    for name, each in state.items():
        if "qkv" in name:
            for part, values in zip(("q_proj", "k_proj", "v_proj"), each.chunk(3), strict=True):
                apart[name.replace("qkv", part)] = values
        else:
            apart[name] = each
    return apart


def theirs_for(name: str) -> str:
    for ours, theirs in {
        "cls_token": "embeddings.cls_token",
        "pos_embed": "embeddings.position_embeddings",
        "mask_token": "embeddings.mask_token",
        "patch_embed.proj": "embeddings.patch_embeddings.projection",
        "blocks": "encoder.layer",
        "attn.proj": "attention.o_proj",
        "attn.": "attention.",
        "ls1.gamma": "layer_scale1.lambda1",
        "ls2.gamma": "layer_scale2.lambda1",
    }.items():
        name = name.replace(ours, theirs)
    return name.replace("norm.", "layernorm.") if name.startswith("norm.") else name
