from pathlib import Path

import pytest

from benchmarks import mutations
from benchmarks.fuzz import (
    _ONE_IN,
    FORMATS,
    Case,
    Outcome,
    Seeds,
    _tried,
    judge,
    make_case,
    make_seeds,
)
from pointaction.errors import DamagedWeights, InputError
from pointaction.video.sandbox import Sandbox


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Seeds:
    return make_seeds(tmp_path_factory.mktemp("seeds"))


def test_what_is_damaged_is_good_before(seeds: Seeds, sandbox: Sandbox, tmp_path: Path) -> None:
    """Else all would be refused, and nothing found."""
    for format in FORMATS:
        for data in seeds[format]:
            outcome = _tried(Case(0, format, "none", data), tmp_path / "file", sandbox)
            assert outcome.verdict == "accepted"


def test_a_seed_and_a_number_are_a_file(seeds: Seeds) -> None:
    for number in range(0, 200, 7):
        assert make_case(seeds, 1, number) == make_case(seeds, 1, number)
    assert make_case(seeds, 1, 0).data != make_case(seeds, 2, 0).data


def test_every_format_is_damaged_in_every_way(seeds: Seeds) -> None:
    tried = {(case.format, case.mutation) for case in (make_case(seeds, 1, n) for n in range(300))}
    ways = {
        (format, way)
        for format in FORMATS
        for way in [*mutations.ANY, *mutations.OF[format], mutations.SPLICED]
    }
    assert tried == ways


def test_every_format_of_video_goes_both_ways(seeds: Seeds) -> None:
    sent = [make_case(seeds, 1, number) for number in range(0, 400, _ONE_IN)]
    ways = {(case.format, case.route) for case in sent}
    videos = [format for format in FORMATS if format != "tracks"]
    both = {(format, route) for format in videos for route in ("/classify", "/timelines")}
    assert ways == both | {("tracks", "/classify")}


def test_only_the_callers_faults_pass() -> None:
    def bad(verdict: str) -> bool:
        return Outcome(0, "mp4", "bits", verdict, 0.1).bad

    assert not bad(judge(InputError("cut off", kind="truncated-clip")))
    assert bad(judge(InputError("who knows", kind="no kind of ours")))
    assert bad(judge(DamagedWeights("they are")))  # 500
    assert not bad("accepted")
