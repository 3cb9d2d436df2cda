"""docs/operating.md speaks of what there is."""

import re
import shlex
from pathlib import Path

import yaml

from service.settings import ServiceSettings
from tests.deploy.words import understood
from workers.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "operating.md").read_text()


def test_every_alert_has_its_first_look() -> None:
    rules = yaml.safe_load((ROOT / "docker" / "prometheus" / "rules.yml").read_text())
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    table = GUIDE[GUIDE.index("| alert | first look |") : GUIDE.index("Logs are JSON")]
    rows = [line.split("|")[1] for line in table.splitlines()[2:] if "|" in line]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == alerts


def test_settings_and_files_that_it_names_are_there() -> None:
    named = set(re.findall(r"POINTACTION_[A-Z_]+", GUIDE))
    assert named <= {f"POINTACTION_{name.upper()}" for name in ServiceSettings.model_fields}
    links = re.findall(r"\]\(([^)#]+)\)", GUIDE)
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []


def test_its_numbers_are_the_defaults() -> None:
    assert f"`POINTACTION_HARD_TIME_LIMIT_S` ({Settings().hard_time_limit_s} s)" in GUIDE
    assert f"lease has ended ({Settings().lease_s:.0f} s)" in GUIDE


def test_what_it_has_one_type_to_extract_a_data_set_is_understood() -> None:
    section = GUIDE[GUIDE.index("## Extracting a data set") : GUIDE.index("## Threats")]
    compose = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())["services"]
    blocks = "".join(section.split("```")[1::2])
    lines = [shlex.split(line, comments=True) for line in blocks.splitlines() if line]
    calls = [words[1:] for words in lines if words[0] == "pointaction"]
    for words in lines:
        if words[:2] == ["docker", "compose"]:
            named = {"run": "extract", "up": "worker-extract", "rm": "worker-extract"}
            (does,) = named.keys() & set(words)
            assert named[does] in words
            assert named[does] in compose
            if does == "run" and "--entrypoint" not in words:
                calls.append(words[words.index("extract") :])
    assert [(words[0], "--queue" in words) for words in calls] == [
        ("worker", False),
        ("extract", True),
        ("extract", True),
        ("extract", True),
    ]
    assert all(understood(words) for words in calls)
    files = {word for words in lines for word in words if word.startswith(("deploy/", "docker/"))}
    assert "docker/.env" in files
    assert [name for name in files - {"docker/.env"} if not (ROOT / name).exists()] == []
