from collections.abc import Sequence
from pathlib import Path

import pytest

from pointaction.errors import InputError
from pointaction.reproduce.runner import carry_out, in_this_process, marker_of

STEPS = (("extract", "a b"), ("pretrain", "x"), ("evaluate", "y"))


class Shop:
    """Notes what it is called with, and answers with a status by the first word."""

    def __init__(self, **status: int) -> None:
        self.status = status
        self.called: list[str] = []

    def __call__(self, words: Sequence[str]) -> int:
        self.called.append(words[0])
        return self.status.get(words[0], 0)


def told(number: int, words: Sequence[str], before: bool) -> None:
    """A report that nobody reads."""


def test_a_step_that_is_done_is_not_done_again(tmp_path: Path) -> None:
    broken = Shop(pretrain=3)
    with pytest.raises(InputError, match="step 2 failed: pointaction pretrain x"):
        carry_out(STEPS, tmp_path, broken, told)
    assert broken.called == ["extract", "pretrain"]
    mended, said = Shop(), []
    carry_out(STEPS, tmp_path, mended, lambda number, words, before: said.append(before))
    assert mended.called == ["pretrain", "evaluate"]
    assert said == [True, False, False]
    again = Shop()
    carry_out([*STEPS, ("evaluate", "z")], tmp_path, again, told)
    assert again.called == ["evaluate"]


def test_a_marker_says_what_was_done(tmp_path: Path) -> None:
    carry_out(STEPS, tmp_path, Shop(), told)
    text = marker_of(tmp_path, STEPS[0]).read_text()
    assert "pointaction extract 'a b'" in text
    assert '"finished": "20' in text


def test_clips_that_failed_stop_nothing(tmp_path: Path) -> None:
    """And are tried again by who calls again: somebody may have mended them."""
    shop = Shop(extract=1)
    carry_out(STEPS, tmp_path, shop, told)
    assert shop.called == ["extract", "pretrain", "evaluate"]
    carry_out(STEPS, tmp_path, mended := Shop(), told)
    assert mended.called == ["extract"]
    with pytest.raises(InputError, match="step 1 failed"):
        carry_out(STEPS, tmp_path / "other", Shop(extract=2), told)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written to: Not a directory; choose --out"):
        carry_out(STEPS, tmp_path / "file" / "out", Shop(), told)


def test_two_recipes_at_once_are_refused(tmp_path: Path) -> None:
    def other(words: Sequence[str]) -> int:
        with pytest.raises(InputError, match="another recipe is at work in"):
            carry_out(STEPS, tmp_path, Shop(), told)
        return 0

    carry_out(STEPS[:1], tmp_path, other, told)
    carry_out(STEPS, tmp_path, Shop(), told)  # the first one has gone


def test_a_command_runs_here_and_its_errors_are_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert in_this_process(["models", "show", "traction-tiny"]) == 0
    assert "traction-tiny" in capsys.readouterr().out
    with pytest.raises(InputError, match=r"pointaction pretrain --nothing: No such option"):
        in_this_process(["pretrain", "--nothing"])
    with pytest.raises(InputError, match="is not one of: tiny, full, quick"):
        in_this_process(["pretrain", str(tmp_path / "no-store")])
