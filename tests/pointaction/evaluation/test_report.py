import json
from pathlib import Path

from pointaction.evaluation.metrics import Accuracy
from pointaction.evaluation.report import Report, Table, circumstances

TABLE = Table(
    corner="model",
    columns=("right", "loss", "clips"),
    rows={"tiny": (Accuracy(right=8, total=10), 0.123456, 10), "full": (None, 2.0, 10)},
)


def test_a_table_reads_well() -> None:
    assert TABLE.markdown().splitlines() == [
        "| model | right | loss | clips |",
        "| --- | --- | --- | --- |",
        "| tiny | 80.0% [49.0%, 94.3%] of 10 | 0.123 | 10 |",
        "| full |  | 2 | 10 |",
    ]


def test_the_json_holds_what_the_text_says_unrounded(tmp_path: Path) -> None:
    report = Report(title="A trial", conditions={"seed": 3}, tables={"How many": TABLE})
    path = report.write(tmp_path / "new", "trial")
    assert path.name.endswith("-trial.md")
    text, figures = path.read_text(), json.loads(path.with_suffix(".json").read_text())
    assert text.startswith(f"# {figures['title']}\n")
    assert "- seed: 3\n" in text
    for name, fact in figures["circumstances"].items():
        assert f"- {name}: {fact}\n" in text
    assert figures["tables"]["How many"] == {
        "tiny": {"right": {"right": 8, "total": 10}, "loss": 0.123456, "clips": 10},
        "full": {"right": None, "loss": 2.0, "clips": 10},
    }


def test_a_report_says_what_it_was_made_with() -> None:
    told = circumstances()
    assert set(told) == {"command", "machine", "software", "commit", "date"}
    assert "cores" in told["machine"]
    assert "/" not in told["command"].split()[0]
