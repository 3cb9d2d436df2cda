import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from pointaction.cli import app
from pointaction.errors import InputError
from pointaction.fewshot.heads import DEFAULT_HEAD, HEADS, TrainedHead
from pointaction.fewshot.matchers import MATCHERS
from pointaction.synthetic.sample import write_sample
from tests.conftest import Stack


def call(*words: str | Path | int) -> Result:
    return CliRunner().invoke(app, ["episode", *map(str, words)])


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An example of two motions in folders of their names, and a query of the first."""
    folder = tmp_path_factory.mktemp("clips")
    for label, motion in (("to the [left]", "moving left"), ("down", "falling")):
        (folder / "support" / label).mkdir(parents=True)
        write_sample(motion, folder / "support" / label / "a.mp4", seed=0, side=96)
    write_sample("moving left", folder / "query.mp4", seed=1, side=96)
    return folder


def test_every_head_that_is_told_of_is_a_matcher() -> None:
    untrained = [head.name for head in HEADS.values() if not isinstance(head, TrainedHead)]
    assert untrained == list(MATCHERS)
    assert DEFAULT_HEAD in HEADS


def test_a_folder_of_examples_is_enough_without_a_server(clips: Path) -> None:
    done = call(
        "classify", clips / "support", clips / "query.mp4", clips / "none.mp4",
        "--local", "--json", "--points", "grid",
    )  # fmt: skip
    answer, missing = (json.loads(line) for line in done.stdout.splitlines())
    assert answer["predictions"][0]["label"] == "to the [left]"
    assert answer["predictions"][0]["score"] > 0.5
    assert answer["nearest"][0]["label"] == "to the [left]"
    assert (answer["head"]["name"], answer["tracker"]["name"]) == ("prototype", "lucas-kanade")
    assert answer["points"]["name"] == "grid"
    assert missing["problem"]["kind"] == "no-such-file"
    assert done.exit_code == 1


def test_a_trained_head_says_which_moments_matched_and_what_its_weights_are(clips: Path) -> None:
    done = call(
        "classify", clips / "support", clips / "query.mp4", "--local", "--json", "--head", "strm",
    )  # fmt: skip
    answer = json.loads(done.stdout)
    assert answer["predictions"][0]["label"] == "to the [left]"
    assert (answer["head"]["name"], len(answer["head"]["digest"])) == ("strm", 64)
    pairs = {tuple(match["query"]) for match in answer["matches"]}
    assert len(pairs) == 28  # of eight moments
    assert {match["label"] for match in answer["matches"]} == {"to the [left]"}


def test_an_episode_is_taught_asked_listed_and_forgotten(clips: Path, stack: Stack) -> None:
    server = ("--server", str(stack.client.base_url))
    bad = clips / "support" / "down" / "text.mp4"
    bad.write_text("not a video")
    broken = clips / "support" / "down" / "broken.mp4"
    broken.write_bytes(b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp42" + bytes(5000))
    made = call("create", clips / "support", "--name", "mine", "--points", "grid", *server)
    id, *classes = made.stdout.splitlines()
    assert sorted(classes) == ["  down: 1 of 2", "  to the [left]: 1 of 1"]
    assert made.exit_code == 1
    said = " ".join(made.stderr.split())
    assert "text.mp4: it begins neither as a video" in said
    assert "down/broken.mp4: " in said
    assert "2 files could not be read" in said

    assert stack.client.get(f"/episodes/{id}").json()["points"] == "grid"

    again = call("add", id, clips / "support" / "down" / "a.mp4", *server)
    assert "  down: 1 of 2" in again.stdout.splitlines()
    asked = call("classify", id, clips / "query.mp4", "--top-k", 1, *server)
    assert "to the [left]" in asked.stdout
    assert "down" not in asked.stdout
    assert id in call("list", *server).stdout
    assert "deleted" in call("delete", id, *server).stdout
    assert id not in call("list", *server).stdout
    gone = json.loads(call("classify", id, clips / "query.mp4", "--json", *server).stdout)
    assert gone["problem"]["kind"] == "not-found"


def test_one_class_is_too_few(clips: Path) -> None:
    folder = clips / "support" / "down"
    for done in (call("create", folder), call("classify", folder, clips / "query.mp4", "--local")):
        error: Any = done.exception
        assert isinstance(error, InputError)
        assert (error.kind, error.limit, error.value) == ("too-few-classes", 2, 1)


def test_no_server_is_said_with_what_to_do(clips: Path) -> None:
    done = call(
        "classify", "0" * 32, clips / "query.mp4", "--json", "--server", "http://127.0.0.1:9"
    )
    assert "pointaction serve" in json.loads(done.stdout)["problem"]["detail"]
