"""What is watched in `docker/` is what a running service tells."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import Stack

DOCKER = Path(__file__).resolve().parents[2] / "docker"
PROMETHEUS = DOCKER / "prometheus"
DASHBOARD = json.loads((DOCKER / "grafana" / "dashboards" / "pointaction.json").read_text())
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((PROMETHEUS / "rules.yml").read_text())["groups"]
    for rule in group["rules"]
]
_NAME = re.compile(r"\bpointaction_\w+")
# What each type of metric is called by in samples.
_SUFFIXES = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_count", "_sum"),
}


def expressions() -> Iterator[tuple[str, str]]:
    """(where, PromQL), with the variable of Grafana filled in."""
    for rule in RULES:
        yield rule["alert"], rule["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$__rate_interval", "5m")


def test_every_expression_is_promql() -> None:
    for where, text in expressions():
        assert promql_parser.parse(text), where


def test_every_name_in_them_is_told_by_a_running_service(stack: Stack) -> None:
    families = list(text_string_to_metric_families(stack.client.get("/metrics").text))
    told = {family.name + suffix for family in families for suffix in _SUFFIXES[family.type]}
    for where, text in expressions():
        assert set(_NAME.findall(text)) <= told, where


def test_every_metric_of_ours_is_on_the_dashboard(stack: Stack) -> None:
    families = list(text_string_to_metric_families(stack.client.get("/metrics").text))
    shown = {name for _, text in expressions() for name in _NAME.findall(text)}
    for family in families:
        if family.name.endswith("_created"):  # when a series began; the client adds it by itself
            continue
        names = {family.name + suffix for suffix in _SUFFIXES[family.type]}
        assert names & shown, family.name


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(names) == len(set(names))
    for rule in RULES:
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert set(rule["annotations"]) == {"summary", "remedy"}


def test_the_dashboard_asks_the_source_that_is_provided() -> None:
    provisioned = DOCKER / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioned / "datasources" / "prometheus.yaml").read_text())[
        "datasources"
    ]
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {source["uid"]}
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))


@pytest.mark.skipif(shutil.which("promtool") is None, reason="Prometheus is not installed")
@pytest.mark.parametrize(
    "command",
    [
        ["check", "config", "prometheus.yml"],
        ["check", "rules", "rules.yml"],
        ["test", "rules", "rules.test.yml"],
    ],
)
def test_prometheus_itself_agrees(command: list[str]) -> None:
    done = subprocess.run(["promtool", *command], cwd=PROMETHEUS, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
