"""What a terminal shows."""

from pathlib import Path

import pytest

from pointaction.terminal import plain, show


def test_nothing_in_a_label_is_a_command_to_the_terminal() -> None:
    assert plain("[bold]wave[/]") == r"\[bold]wave\[/]"
    assert "\x1b" not in plain("\x1b[31mred")
    assert plain("a\nb\u202e") == r"a\nb\u202e"


def test_an_answer_is_shown_with_its_doubt_and_notes(capsys: pytest.CaptureFixture[str]) -> None:
    answer = {
        "predictions": [{"label": "[red]wave", "score": 0.5}],
        "none_of_these": True,
        "notes": ["one example could not be read"],
    }
    show(Path("a[b].mp4"), answer, as_json=False)
    name, doubt, label, note = capsys.readouterr().out.splitlines()
    assert name == "a[b].mp4"
    assert doubt.strip() == "likely none of these; the nearest:"
    assert label.split() == ["50.0%", "█" * 15, "[red]wave"]
    assert note.strip() == "one example could not be read"


def test_what_branches_say_alone_is_shown_below(capsys: pytest.CaptureFixture[str]) -> None:
    wave = {"label": "wave", "score": 0.75}
    answer = {"predictions": [wave], "branches": {"motion": [wave], "appearance": [wave]}}
    show(Path("a.mp4"), answer, as_json=False)
    *_, motion, appearance = capsys.readouterr().out.splitlines()
    assert motion.strip() == "motion alone: wave, 75.0%"
    assert appearance.strip() == "appearance alone: wave, 75.0%"
