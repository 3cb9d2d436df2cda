import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Generator, Tensor, nn

from pointaction.errors import DamagedWeights, InputError
from pointaction.models.files import save_network
from pointaction.models.fusion import LateFusion, load_fusion, load_probe
from pointaction.models.probe import AttentiveProbe, ProbeConfig
from pointaction.models.traction import TrackEncoder, TrAction, TrActionConfig

MOTION = TrActionConfig(frames=4, width=12, layers=1, heads=2, bands=2, dropout=0.5)
PROBE = ProbeConfig(width=8, classes=3, heads=2, told_time=True)


def fusion() -> LateFusion:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        motion = TrAction(TrackEncoder(MOTION), classes=3)
        return LateFusion(motion, AttentiveProbe(PROBE)).eval()


def asked() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Two clips: geometry, visible, tokens and their time."""
    generator = Generator().manual_seed(1)
    geometry = torch.randn(2, 5, 4, 3, generator=generator)
    tokens = torch.randn(2, 6, 8, generator=generator)
    return geometry, torch.ones(2, 5, 4).bool(), tokens, torch.arange(3).repeat_interleave(2)


def test_each_branch_says_what_it_says_alone() -> None:
    model = fusion()
    geometry, visible, tokens, time = asked()
    scores, attention = model(geometry, visible, tokens, time)
    alone, reads = model.motion(geometry, visible)
    torch.testing.assert_close(scores.motion, alone)
    torch.testing.assert_close(attention, reads)
    torch.testing.assert_close(scores.appearance, model.probe(tokens, time))
    assert scores.fused.shape == (2, 3)


def test_the_fused_scores_are_one_linear_layer_of_both_side_by_side() -> None:
    """So its part for motion and its part for appearance add up."""
    model = fusion()
    geometry, visible, tokens, time = asked()
    assert model.head.in_features == 8 + 12
    fused = model(geometry, visible, tokens, time)[0].fused
    cls = model.motion.encoder(geometry, visible).cls
    looked = model.probe.embed(tokens, time)
    by_look, by_motion = model.head.weight.split([8, 12], dim=1)
    torch.testing.assert_close(fused, looked @ by_look.T + cls @ by_motion.T + model.head.bias)


def test_tracks_that_fill_up_a_batch_change_nothing() -> None:
    model = fusion()
    geometry, visible, tokens, time = asked()
    more = nn.functional.pad(geometry, (0, 0, 0, 0, 0, 2), value=7.0)
    seen = nn.functional.pad(visible, (0, 0, 0, 2), value=True)
    present = torch.tensor([[True] * 5 + [False] * 2] * 2)
    filled, _ = model(more, seen, tokens, time, present)
    for found, expected in zip(filled, model(geometry, visible, tokens, time)[0], strict=True):
        torch.testing.assert_close(found, expected)


def test_training_changes_the_new_layer_alone() -> None:
    model = fusion().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trained = [value for value in model.parameters() if value.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=0.1)
    inputs = asked()
    first, again = (model(*inputs)[0] for _ in range(2))
    assert first.fused.equal(again.fused)  # nothing is dropped out of what is frozen
    nn.functional.cross_entropy(first.fused, torch.tensor([0, 1])).backward()
    optimiser.step()
    changed = {name for name, value in model.state_dict().items() if not value.equal(before[name])}
    assert changed == {"head.weight", "head.bias"}


def test_fusion_tells_apart_what_neither_branch_can() -> None:
    """Four classes: which way it moves, which colour it has; each branch sees one of both."""
    generator = Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        motion = TrAction(TrackEncoder(MOTION), classes=4)
        probe = AttentiveProbe(ProbeConfig(width=8, classes=4, heads=2))
        model = LateFusion(motion, probe).train()
    optimiser = torch.optim.AdamW(model.head.parameters(), lr=0.03)
    time = torch.zeros(2, dtype=torch.long)
    for _ in range(100):
        way, colour = torch.randint(2, (2, 32), generator=generator)
        geometry = torch.arange(4.0)[:, None].expand(32, 3, 4, 3) * (way * 2 - 1).view(-1, 1, 1, 1)
        tokens = torch.ones(32, 2, 8)
        tokens[..., 0] += 4.0 * colour[:, None]
        scores, _ = model(geometry / 4, torch.ones(32, 3, 4).bool(), tokens, time)
        loss = nn.functional.cross_entropy(scores.fused, 2 * way + colour)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert (scores.fused.argmax(-1) == 2 * way + colour).all()


def test_branches_must_tell_the_same_classes() -> None:
    motion = TrAction(TrackEncoder(MOTION), classes=4)
    with pytest.raises(InputError, match="same classes; motion has 4, appearance 3"):
        LateFusion(motion, AttentiveProbe(PROBE))


def test_a_file_is_enough_to_open_it(tmp_path: Path) -> None:
    """In full precision the answer is the same, in half it is near."""
    model, inputs = fusion(), asked()
    digest = save_network(model, tmp_path / "whole.safetensors", half=False)
    assert len(digest) == 64
    whole = load_fusion(tmp_path / "whole.safetensors")
    assert whole.config == model.config
    assert not whole.training
    assert whole(*inputs)[0].fused.equal(model(*inputs)[0].fused)
    save_network(model, tmp_path / "half.safetensors")
    half = load_fusion(tmp_path / "half.safetensors")(*inputs)[0].fused
    torch.testing.assert_close(half, model(*inputs)[0].fused, rtol=0.01, atol=0.01)


def test_a_probe_is_a_file_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "probe.safetensors"
    model = fusion().probe
    save_network(model, path, half=False)
    loaded, (*_, tokens, time) = load_probe(path), asked()
    assert loaded.config == PROBE
    assert loaded(tokens, time).equal(model(tokens, time))
    with pytest.raises(InputError, match="holds attentiveprobe, not latefusion"):
        load_fusion(path)


def altered(path: Path, about: dict[str, str] | None, **weights: Tensor) -> None:
    """The file again, with other metadata or weights."""
    with safe_open(path, framework="pt") as file:
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    save_file(state | weights, path, metadata=metadata if about is None else about)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (None, "does not say how its network is built"),
        ([], "does not say how"),
        ({"width": 8, "classes": 3, "heads": 2, "depth": 4}, "another release: .*depth"),
        ({"width": 8}, "another release: .*classes"),
        ({"width": 8, "classes": 3, "heads": 3}, "3 heads do not divide"),
    ],
)
def test_configurations_are_checked(config: Any, says: str, tmp_path: Path) -> None:
    path = tmp_path / "probe.safetensors"
    save_network(fusion().probe, path)
    about = {"network": "attentiveprobe"}
    altered(path, about if config is None else about | {"config": json.dumps(config)})
    with pytest.raises(InputError, match=says):
        load_probe(path)


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "fusion.safetensors"
    with pytest.raises(InputError, match="holds no network"):
        load_fusion(path)
    torch.save(fusion().state_dict(), path)  # a pickle
    with pytest.raises(InputError, match="holds no network"):
        load_fusion(path)
    save_file(nn.Linear(2, 2).state_dict(), path)
    with pytest.raises(InputError, match="holds weights that do not say of what, not latefusion"):
        load_fusion(path)


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "fusion.safetensors"
    save_network(fusion(), path)
    altered(path, None, **{"head.bias": torch.zeros(4)})
    with pytest.raises(DamagedWeights, match=r"another shape, as head\.bias"):
        load_fusion(path)
