from pathlib import Path

import pytest
import torch
from torch import Generator

from pointaction.errors import InputError
from pointaction.evaluation.fewshot import Embedded, embed_folder, evaluate_episodes
from pointaction.models.catalog import DEFAULT_STORE
from pointaction.pipeline import Recogniser
from pointaction.synthetic.sample import write_sample


def embedded(features: torch.Tensor) -> Embedded:
    labels = torch.arange(5).repeat_interleave(len(features) // 5)
    return Embedded(features=features, labels=labels, names=list("abcde"))


def evaluate(clips: Embedded) -> float:
    return evaluate_episodes(
        clips, ways=5, shots=1, queries=5, episodes=200, generator=Generator().manual_seed(0)
    ).mean


def test_features_that_name_the_class_are_always_right() -> None:
    assert evaluate(embedded(torch.eye(5).repeat_interleave(20, 0))) == 1.0


def test_features_that_say_nothing_are_right_by_chance() -> None:
    noise = torch.randn(100, 64, generator=Generator().manual_seed(1))
    assert evaluate(embedded(noise)) == pytest.approx(0.2, abs=0.04)


def test_a_folder_per_label_is_embedded(tmp_path: Path) -> None:
    for label in ("moving left", "camera zooming in"):
        (tmp_path / label).mkdir()
        for seed in range(2):
            write_sample(label, tmp_path / label / f"{seed}.mp4", seed=seed, side=128, frames=12)
    recogniser = Recogniser.load(DEFAULT_STORE, "traction-tiny")
    clips = embed_folder(recogniser, tmp_path, tracks=64, progress=lambda done, total: None)
    assert clips.names == ["camera zooming in", "moving left"]
    assert clips.labels.tolist() == [0, 0, 1, 1]
    assert clips.features.shape == (4, 168)


def test_a_folder_without_labels_is_refused(tmp_path: Path) -> None:
    recogniser = Recogniser.load(DEFAULT_STORE, "traction-tiny")
    with pytest.raises(InputError, match="one per label"):
        embed_folder(recogniser, tmp_path, tracks=64, progress=lambda done, total: None)
