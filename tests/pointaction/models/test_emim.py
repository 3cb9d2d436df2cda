from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from pointaction.errors import InputError
from pointaction.models.emim import (
    ATTENTIONS,
    EMIM,
    EMIMConfig,
    NextFrameAttention,
    emim,
    emim_small,
    load_emim,
)
from pointaction.models.files import save_network

KINDS = pytest.mark.parametrize("attention", ATTENTIONS)


def tiny(attention: str = "motion", **fields: int) -> EMIMConfig:
    sizes = {"width": 12, "layers": 2, "heads": 2, "patch": 4, "local": 1, "radius": 1} | fields
    return EMIMConfig(classes=2, attention=attention, **sizes)


def made(config: EMIMConfig) -> EMIM:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return EMIM(config).eval()


def chance(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def told(layer: NextFrameAttention) -> NextFrameAttention:
    """As after some training, when motion counts."""
    torch.nn.init.eye_(layer.get_parameter("motion.3.weight"))
    return layer.eval()


def test_affinity_peaks_where_a_texture_has_gone() -> None:
    """Where queries and keys are the tokens themselves: one down, two to the left."""
    layer = NextFrameAttention(tiny(width=24, radius=3))
    with torch.no_grad():
        layer.qkv.weight[:24], layer.qkv.weight[24:48] = torch.eye(24), torch.eye(24)
        layer.qkv.bias.zero_()
        texture = normalize(chance(9, 11, 2, 12), dim=-1).flatten(-2)  # of one length in each head
        moved = texture.roll((1, -2), (0, 1))
        affinity, _ = layer.affinity(torch.stack([texture, moved])[None])
    peak = affinity[0, 0].argmax(-1).view(2, 9, 11)
    assert (peak[:, :-1, 2:] == (3 + 1) * 7 + (3 - 2)).all()
    still = affinity[0, 1].argmax(-1)  # the last frame comes after itself
    assert (still == 3 * 7 + 3).all()


def test_a_token_reads_neighbours_in_the_next_frame_and_no_others() -> None:
    layer = told(NextFrameAttention(tiny()))
    x = chance(1, 4, 5, 5, 12)
    changed = x.clone()
    changed[0, 2, 1, 1] += 1
    with torch.no_grad():
        differs = (layer(changed) - layer(x)).abs().amax(-1)[0] > 0
    assert differs[1, :3, :3].all()  # at most one away, a frame earlier
    assert differs[2, 1, 1]  # and its own query
    assert differs.sum() == 9 + 1


def test_motion_features_are_added_to_what_is_read() -> None:
    motion, window = made(tiny("motion")), made(tiny("window"))
    added = motion.load_state_dict(window.state_dict(), strict=False)
    assert {name.split(".motion")[0] for name in added.missing_keys} == {"near.0.attention"}
    assert not added.unexpected_keys
    clip = torch.rand(1, 3, 3, 12, 12)
    with torch.no_grad():
        without = window(clip).logits
        assert (motion(clip).logits - without).abs().max() > 1e-3
        layer = motion.near[0].attention
        assert isinstance(layer, NextFrameAttention)
        layer.get_parameter("motion.3.weight").zero_()
        assert motion(clip).logits.equal(without)


def textures(steps: list[int], generator: torch.Generator) -> Tensor:
    """Clips (B, 3, 4, 2, 8) of noise that moves by so many pixels per frame, round and round."""
    pictures = torch.rand(len(steps), 3, 2, 8, generator=generator)
    frames = [
        torch.stack([one.roll(step * time, -1) for time in range(4)], 1)
        for one, step in zip(pictures, steps, strict=True)
    ]
    return torch.stack(frames)


@pytest.mark.parametrize(
    ("attention", "steps", "knows"), [("plain", 60, False), ("motion", 200, True)]
)
def test_motion_features_soon_tell_which_way_a_texture_moves(
    attention: str, steps: int, knows: bool
) -> None:
    """Each clip is another texture. Played backwards it moves the other way."""
    network = made(tiny(attention, width=24, patch=1)).train()
    optimiser = torch.optim.Adam(network.parameters(), lr=0.005)
    # Down to nothing, else the last step may be one of those that Adam takes too far.
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1, 0, total_iters=steps)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        clip = textures(8 * [-1, 1], generator)
        loss = cross_entropy(network(clip).logits, torch.tensor(8 * [0, 1]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    network.eval()
    clip = textures(32 * [1], generator)
    with torch.no_grad():
        right, backwards = (network(each).logits.softmax(-1)[:, 1] for each in (clip, clip.flip(2)))
    changed = (right - backwards).mean()
    assert changed > 0.8 if knows else changed.abs() < 0.1


def test_sizes() -> None:
    with torch.device("meta"):
        whole, small = emim(174), emim_small(174)
    assert sum(weight.numel() for weight in whole.parameters()) == pytest.approx(10.4e6, rel=0.02)
    assert sum(2 * weight.numel() for weight in small.parameters()) < 8e6


@KINDS
def test_what_is_loaded_answers_as_what_was_saved(attention: str, tmp_path: Path) -> None:
    network, clip = made(tiny(attention)), torch.rand(1, 3, 3, 12, 12)
    save_network(network, tmp_path / "emim.safetensors", half=False)
    with torch.no_grad():
        found = load_emim(tmp_path / "emim.safetensors")(clip)
        assert found.logits.equal(network(clip).logits)


@pytest.mark.parametrize(
    "wrong", [{"width": 100}, {"heads": 5}, {"attention": "none"}, {"patch": 0}, {"dropout": -0.1}]
)
def test_a_configuration_that_cannot_be_built_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError):
        EMIMConfig(**wrong)  # type: ignore[arg-type]


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    attention=st.sampled_from(ATTENTIONS),
    size=st.tuples(st.integers(1, 4), st.integers(1, 13), st.integers(1, 13)),
    colour=st.sampled_from([0.0, 0.5, 1.0, None]),
)
def test_any_clip_has_an_answer(
    attention: str, size: tuple[int, int, int], colour: float | None
) -> None:
    """Short, tiny or of one colour; a map for each frame, a cell for each patch or part of one."""
    shape = 2, 3, *size
    clip = chance(*shape).sigmoid() if colour is None else torch.full(shape, colour)
    with torch.no_grad():
        logits, maps = made(tiny(attention))(clip)
    assert logits.isfinite().all()
    assert maps.shape == (2, 2, size[0], -(-size[1] // 4), -(-size[2] // 4))
    assert maps.min() >= 0
    torch.testing.assert_close(maps.sum((2, 3, 4)), torch.ones(2, 2))
