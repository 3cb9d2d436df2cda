from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from pointaction.errors import InputError
from pointaction.models.probe import AttentiveProbe, ProbeConfig, sinusoids

TINY = ProbeConfig(width=8, classes=3, heads=2)


def probe(config: ProbeConfig = TINY) -> AttentiveProbe:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return AttentiveProbe(config).eval()


def tokens(clips: int = 2, steps: int = 3, each: int = 4) -> tuple[Tensor, Tensor]:
    values = torch.randn(clips, steps * each, 8, generator=Generator().manual_seed(1))
    return values, torch.arange(steps).repeat_interleave(each)


def test_a_clip_has_a_score_per_class_by_one_linear_layer() -> None:
    model, (values, time) = probe(), tokens()
    pooled = model.embed(values, time)
    assert pooled.shape == (2, 8)
    torch.testing.assert_close(model(values, time), model.head(pooled))
    assert model(values, time).shape == (2, 3)


def test_tokens_are_a_set_unless_they_are_told_their_time() -> None:
    values, time = tokens()
    backwards = values.flip(1)
    plain, told = probe(), probe(replace(TINY, told_time=True))
    torch.testing.assert_close(plain(backwards, time), plain(values, time))
    assert not torch.allclose(told(backwards, time), told(values, time), atol=1e-3)
    # But within a frame they are one still, and where their time goes along.
    torch.testing.assert_close(told(backwards, time.flip(0)), told(values, time))


def test_any_number_of_tokens_is_read_and_repeats_say_nothing_new() -> None:
    """Attention is a mean: twice the same tokens have the same one."""
    model, (values, time) = probe(), tokens()
    twice = model(torch.cat([values, values], 1), torch.cat([time, time]))
    torch.testing.assert_close(twice, model(values, time))


def test_clips_do_not_see_each_other() -> None:
    model, (values, time) = probe(), tokens()
    torch.testing.assert_close(model(values[1:], time), model(values, time)[1:])


def test_sinusoids_tell_every_step_apart() -> None:
    told = sinusoids(torch.arange(16), 8)
    assert told.shape == (16, 8)
    assert told[0].tolist() == [0] * 4 + [1] * 4
    # The fastest of them turns by one radian a step.
    assert told[1, 0] == pytest.approx(0.84147, abs=1e-5)
    distances = torch.cdist(told, told) + torch.eye(16)
    assert distances.min() > 0.3


def test_a_probe_learns_the_order_of_frames() -> None:
    """Two frames, one bright: which comes first is told by nothing but time."""
    generator = Generator().manual_seed(0)
    model = probe(replace(TINY, classes=2, told_time=True)).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    time = torch.tensor([0, 1])
    losses = []
    for _ in range(150):
        label = torch.randint(2, (32,), generator=generator)
        values = torch.randn(32, 2, 8, generator=generator) * 0.1
        values[torch.arange(32), label, 0] += 2
        loss = torch.nn.functional.cross_entropy(model(values, time), label)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[0] > 0.5
    assert losses[-1] < 0.1


def test_features_of_another_width_are_refused() -> None:
    with pytest.raises(InputError, match="reads tokens of width 8, not 6; give it the features"):
        probe()(torch.zeros(1, 2, 6), torch.arange(2))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"classes": 0}, "classes of a probe must be a whole number above 0"),
        ({"width": "8"}, "width of a probe must be a whole number above 0"),
        ({"heads": 3}, "3 heads do not divide a width of 8"),
        ({"width": 9, "heads": 3, "told_time": True}, "need an even width, not 9"),
    ],
)
def test_configurations_that_cannot_be_are_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        replace(TINY, **change)
