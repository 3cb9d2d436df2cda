import json
from pathlib import Path

import pytest
import torch
from torch import Generator, Tensor
from typer.testing import CliRunner

from pointaction.errors import InputError
from pointaction.evaluation.commands import evaluation
from pointaction.evaluation.fewshot import (
    Contender,
    Trial,
    baselines,
    build_encoder,
    compare,
    confusions,
    embed,
    evaluate_episodes,
    frozen,
    label_numbers,
    nearest_examples,
    nearest_prototype,
    open_encoders,
)
from pointaction.evaluation.followed import Followed, follow_folder
from pointaction.models.catalog import DEFAULT_STORE
from pointaction.models.traction import traction_tiny
from pointaction.pipeline import Recogniser
from pointaction.training.checkpoints import export_weights
from tests.pointaction.evaluation.sliding import write_slide

CLIPS = Path(__file__).parents[4] / "shared" / "clips"
FIVE = torch.arange(5).repeat_interleave(20)  # five classes of twenty clips


def accuracy(contender: Contender, *, shots: int = 1) -> float:
    return evaluate_episodes(FIVE, contender, Trial(episodes=200), shots=shots).mean


@pytest.fixture(scope="module")
def slides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips that go left and three that go right."""
    folder = tmp_path_factory.mktemp("slides")
    for label, way in (("left", -3), ("right", 3)):
        for seed in range(3):
            write_slide(folder / label / f"{seed}.mp4", right=way, seed=seed)
    return folder


@pytest.fixture(scope="module")
def followed(slides: Path) -> list[Followed]:
    return follow_folder(slides, tracks=64, cache=None, progress=lambda done, total: None)


def test_features_that_name_the_class_are_always_right() -> None:
    assert accuracy(nearest_prototype(torch.eye(5)[FIVE])) == 1.0


def test_features_that_say_nothing_are_right_by_chance() -> None:
    noise = torch.randn(100, 64, generator=Generator().manual_seed(1))
    assert accuracy(nearest_prototype(noise)) == pytest.approx(0.2, abs=0.04)


def test_clips_near_their_own_class_are_always_right() -> None:
    apart = (FIVE[:, None] != FIVE).float()
    assert accuracy(nearest_examples(apart)) == accuracy(nearest_examples(apart), shots=5) == 1.0


def test_the_class_that_is_nearer_on_the_whole_wins() -> None:
    apart = torch.tensor([[0.0, 1, 5, 2, 2]])  # of clip 0 to itself and four others
    scores = nearest_examples(apart)(torch.tensor([[1, 2], [3, 4]]), torch.tensor([0]))
    assert scores.tolist() == [[-3.0, -2.0]]


def test_all_contenders_are_asked_the_same_episodes() -> None:
    asked: dict[str, list[Tensor]] = {"one": [], "other": []}

    def remembering(name: str) -> Contender:
        def contender(support: Tensor, query: Tensor) -> Tensor:
            asked[name] += [support, query]
            return torch.zeros(len(query), len(support))

        return contender

    contenders = {name: remembering(name) for name in asked}
    table = compare(FIVE, contenders, Trial(queries=2, episodes=3, seed=4), shots=(1, 5))
    assert table.columns == ("5-way 1-shot", "5-way 5-shot")
    assert all(torch.equal(a, b) for a, b in zip(asked["one"], asked["other"], strict=True))
    assert [cell.mean for cell in table.rows["one"]] == [pytest.approx(0.2)] * 2


def test_what_is_taken_for_what_is_told() -> None:
    """Whoever sees four classes where there are five takes the fifth for the fourth."""
    blind = nearest_prototype(torch.eye(5)[FIVE.clamp(max=3)])
    table = confusions(FIVE, list("abcde"), blind, Trial(episodes=50), shots=1)
    assert table.rows["a"] == (1, 0, 0, 0, 0)
    for name in "de":
        a, b, c, d, e = table.rows[name]
        assert (a, b, c) == (0, 0, 0)
        assert d + e == pytest.approx(1)
        assert d == table.rows["d"][3]


def test_the_baselines_tell_left_from_right(followed: list[Followed]) -> None:
    labels, names = label_numbers(followed)
    assert names == ["left", "right"]
    assert labels.tolist() == [0, 0, 0, 1, 1, 1]
    flow = baselines(followed)["HOF + MBH"]
    answers = flow(torch.tensor([[0], [3]]), torch.tensor([1, 2, 4, 5])).argmax(-1)
    assert answers.tolist() == [0, 0, 1, 1]


def test_an_encoder_sees_what_the_product_sees(followed: list[Followed]) -> None:
    recogniser = Recogniser.load(DEFAULT_STORE, "traction-tiny")
    tracks = followed[0].tracks
    torch.testing.assert_close(embed(recogniser.model.encoder, tracks), recogniser.embed(tracks))


def test_exported_weights_are_opened_and_untrained_ones_follow_their_seed(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    trained = traction_tiny(3)
    export_weights(trained, path)
    found = open_encoders(
        DEFAULT_STORE,
        models=["traction-tiny"],
        weights=[path],
        builder="traction_tiny",
        untrained=7,
    )
    stored, exported, untrained = found.values()
    assert list(found)[1:] == [str(path), "traction_tiny, untrained"]
    torch.testing.assert_close(exported.first, trained.encoder.first, atol=1e-4, rtol=1e-3)
    chance = torch.get_rng_state()
    assert torch.equal(untrained.first, build_encoder("traction_tiny", seed=7).first)
    assert torch.equal(torch.get_rng_state(), chance)
    assert not torch.equal(untrained.first, stored.first)


def test_an_unknown_shape_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="'giant' is not one of: traction, traction_tiny"):
        build_encoder("giant", seed=0)


def test_the_command_files_what_it_prints(slides: Path, tmp_path: Path) -> None:
    words = ["fewshot", str(slides), "--untrained", "--baselines", "--ways", "2", "--shots", "1"]
    words += ["2", "--queries", "1", "--episodes", "4", "--tracks", "32"]
    words += ["--failures", "--cache", str(tmp_path / "cache"), "--report", str(tmp_path)]
    done = CliRunner().invoke(evaluation, words)
    assert done.exit_code == 0, done.output
    (text,) = (path.read_text() for path in tmp_path.glob("*.md"))
    (figures,) = (json.loads(path.read_text()) for path in tmp_path.glob("*.json"))
    assert text in done.stdout
    rows, *confused = figures["tables"].values()
    assert list(rows)[:2] == ["traction_tiny, untrained", "HOF + MBH"]
    assert rows["HOF + MBH"]["2-way 1-shot"]["mean"] == 1.0
    assert "| HOF + MBH | 100.0% ± 0.0% | 100.0% ± 0.0% |" in text
    assert confused[1] == {"left": {"left": 1, "right": 0}, "right": {"left": 0, "right": 1}}
    assert len(list((tmp_path / "cache").iterdir())) == 6


@pytest.mark.clips
@pytest.mark.skipif(not CLIPS.is_dir(), reason="the real clips are not here")
def test_real_gestures_are_told_apart_better_than_by_chance(tmp_path: Path) -> None:
    for path in CLIPS.glob("gestures/*/*_[12].mp4"):
        target = tmp_path / path.parent.name / path.name
        target.parent.mkdir(exist_ok=True)
        target.symlink_to(path)
    clips = follow_folder(tmp_path, tracks=128, cache=None, progress=lambda done, total: None)
    encoder = Recogniser.load(DEFAULT_STORE, "traction-tiny").model.encoder
    labels, _ = label_numbers(clips)
    trial = Trial(queries=1, episodes=100)
    result = evaluate_episodes(labels, frozen(encoder, clips), trial, shots=1)
    assert len(clips) == 10
    assert result.mean > 0.3
