from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pointaction.errors import InputError
from pointaction.models.store import BUILDERS
from pointaction.trackstore.batches import StoreBatches
from pointaction.trackstore.store import TrackStore
from pointaction.training.batch import Batch
from pointaction.training.loop import Run, optimise
from pointaction.training.objectives import recognise
from pointaction.training.recipes import finetuning
from tests.pointaction.trackstore.stores import filled


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> TrackStore:
    """24 clips, of a and b by turns."""
    return filled(tmp_path_factory.mktemp("store"), 24)


def batches(store: TrackStore, *, seed: int = 1, batch: int = 3) -> StoreBatches:
    return StoreBatches(store, ["a", "b"], batch=batch, frames=8, sizes=(4, 6), seed=seed)


def same(one: Batch, other: Batch) -> bool:
    return torch.equal(one.geometry, other.geometry) and torch.equal(one.label, other.label)


def test_a_number_is_always_the_same_batch_whatever_was_asked_before(store: TrackStore) -> None:
    asked = batches(store)
    found = {number: asked[number] for number in (11, 3, 0, 7)}
    for number, batch in found.items():
        assert same(batch, batches(store)[number])
    assert not same(found[0], found[7])
    assert not same(found[0], batches(store, seed=2)[0])


def test_batches_are_as_training_takes_them(store: TrackStore) -> None:
    assert [batches(store)[number].geometry.shape for number in range(2)] == [
        (3, 4, 8, 3),
        (3, 6, 8, 3),
    ]


def test_every_clip_has_its_turn_before_any_has_another(store: TrackStore) -> None:
    """In eight batches of three from eight lanes there are all 24: twelve of each label."""
    for epoch in range(3):
        labels = [batches(store)[8 * epoch + part].label for part in range(8)]
        assert Counter(torch.cat(labels).tolist()) == {0: 12, 1: 12}


def test_no_clip_is_twice_in_a_batch(store: TrackStore) -> None:
    whole = batches(store, batch=24)
    assert Counter(whole[5].label.tolist()) == {0: 12, 1: 12}


def test_without_labels_no_clip_has_a_name(store: TrackStore) -> None:
    found = StoreBatches(store, None, batch=3, frames=8, sizes=(4,), seed=1)[0]
    assert found.label.tolist() == [-1, -1, -1]


def test_a_label_that_is_not_learned_is_told(store: TrackStore) -> None:
    asked = StoreBatches(store, ["a"], batch=24, frames=8, sizes=(4,), seed=1)
    with pytest.raises(InputError, match="has the label 'b', which is not one of the 1"):
        asked[0]


def test_the_loop_trains_on_a_store(store: TrackStore, tmp_path: Path) -> None:
    """And goes on where it stopped as if it had not."""
    recipe = replace(finetuning("traction_tiny", clips=24), steps=2, batch=3, tracks=(6,))

    def learned(folder: Path, *, stops: bool) -> list[torch.Tensor]:
        torch.manual_seed(1)
        model = BUILDERS["traction_tiny"](2)
        objective = recognise(model, label_smoothing=0.0, contrast=0)
        run = Run(recipe=recipe, folder=folder, workers=0, data=store.digest[:12])
        supply = StoreBatches(store, ["a", "b"], batch=3, frames=32, sizes=(6,), seed=run.seed)
        if stops:
            optimise(replace(run, minutes=0.0), model, objective, supply, lambda *told: None)
        optimise(run, model, objective, supply, lambda *told: None)
        return [value.detach() for value in model.parameters()]

    at_once = learned(tmp_path / "one", stops=False)
    in_two = learned(tmp_path / "two", stops=True)
    for one, two in zip(at_once, in_two, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=0)
