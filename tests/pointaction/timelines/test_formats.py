"""What the files of a timeline say, and that nobody's label is more than text in them."""

import csv
import io
import json
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest

from pointaction.timelines.formats import FORMATS
from pointaction.timelines.segments import Segment
from pointaction.timelines.timeline import Timeline

TIMELINE = Timeline(
    labels=("wave",),
    starts=np.zeros(1),
    scores=np.ones((1, 1), np.float32),
    none_of_these=None,
    windows=1,
    window_s=3,
    step_s=1,
    duration_s=4000,
    made={"video": "a.mp4"},
)
HOSTILE = '<b>a & "b"</b> -->\n\nNOTE\x00,\x1b[31m'
ON_ONE_LINE = '<b>a & "b"</b> -->\\n\\nNOTE\\x00,\\x1b[31m'


def written(suffix: str, *labels: str) -> str:
    """One segment of each label, from 1.5 s to an hour and a bit."""
    found = [Segment(label=label, start=1.5, end=3661.25, score=0.876) for label in labels]
    return FORMATS[suffix].write(TIMELINE, found)


def test_csv_has_a_line_for_each_segment() -> None:
    rows = list(csv.reader(io.StringIO(written("csv", "wave", HOSTILE))))
    assert rows == [
        ["label", "start_s", "end_s", "score"],
        ["wave", "1.500", "3661.250", "0.8760"],
        [ON_ONE_LINE, "1.500", "3661.250", "0.8760"],
    ]


@pytest.mark.parametrize("label", ["=1+1", "+1", "-1", "@a"])
def test_no_spreadsheet_computes_a_label(label: str) -> None:
    rows = list(csv.reader(io.StringIO(written("csv", label))))
    assert rows[1][0] == f"'{label}"


def test_webvtt_has_a_cue_for_each_segment() -> None:
    assert written("vtt", "wave") == "WEBVTT\n\n00:00:01.500 --> 01:01:01.250\nwave 88%\n"


def test_a_label_is_one_line_of_text_in_a_cue() -> None:
    cue = written("vtt", HOSTILE).split("\n\n", 1)[1]
    assert cue.splitlines()[1:] == [
        '&lt;b&gt;a &amp; "b"&lt;/b&gt; --&gt;\\n\\nNOTE\\x00,\\x1b[31m 88%'
    ]


def test_elan_has_a_tier_for_each_label() -> None:
    root = ElementTree.fromstring(written("eaf", "wave", HOSTILE, "wave"))
    tiers = {tier.get("TIER_ID"): len(tier) for tier in root.findall("TIER")}
    assert tiers == {"wave": 2, ON_ONE_LINE: 1}
    slots = {slot.get("TIME_SLOT_ID"): slot.get("TIME_VALUE") for slot in root.iter("TIME_SLOT")}
    first = next(root.iter("ALIGNABLE_ANNOTATION"))
    assert slots[first.get("TIME_SLOT_REF1")] == "1500"
    assert slots[first.get("TIME_SLOT_REF2")] == "3661250"
    assert len(slots) == 6


def test_elan_wants_slots_before_tiers_before_types() -> None:
    root = ElementTree.fromstring(written("eaf", "wave", "clap"))
    names = [child.tag for child in root]
    assert names == ["HEADER", "TIME_ORDER", "TIER", "TIER", "LINGUISTIC_TYPE"]


def test_json_says_what_it_was_made_with() -> None:
    told = json.loads(written("json", HOSTILE))
    assert told["video"] == "a.mp4"
    assert told["segments"] == [{"label": HOSTILE, "start": 1.5, "end": 3661.25, "score": 0.876}]


def test_who_only_shows_timelines_needs_no_torch() -> None:
    program = (
        "import sys, pointaction.timelines.formats\n"
        "print(*({'torch', 'cv2', 'av'} & sys.modules.keys()))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stdout.split() == []
