"""The alerts that we show fire: their metrics, labels and ports exist, and each is on its page."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from eventstreams.core import metrics
from eventstreams.core.metrics import Metric
from eventstreams.producer.metrics import ALL
from unit.docs.pages import ROOT

METRICS = {metric.name: metric for metric in (*metrics.OPERATOR, *ALL)}
SHOWN = list(yaml.safe_load_all((ROOT / "deploy/examples/monitoring.yaml").read_text(encoding="utf-8")))
RULES = [rule for one in SHOWN for group in one["spec"].get("groups", []) for rule in group["rules"]]
OF_THE_TARGET = {"namespace", "pod", "le"}


def measured(expression: str) -> Iterator[Metric]:
    for name in re.findall(r"\beventstreams_\w+", expression):
        yield METRICS[name.removesuffix("_bucket")]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_metrics_and_labels_that_there_are(rule: dict[str, Any]) -> None:
    known = {label for metric in measured(rule["expr"]) for label in metric.labels} | OF_THE_TARGET

    asked = re.findall(r"(\w+)[!=]~?\"", rule["expr"])
    grouped = [label for labels in re.findall(r"by \(([^)]*)\)", rule["expr"]) for label in labels.split(", ")]
    told = re.findall(r"\$labels\.(\w+)", str(rule["annotations"]))

    assert {*asked, *grouped} <= known
    assert set(told) <= set(grouped)


def test_every_alert_is_on_its_page_and_has_a_cure() -> None:
    page = (ROOT / "docs/how-to/run-the-producer.md").read_text(encoding="utf-8")

    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == [rule["alert"] for rule in RULES]
    assert all({"summary", "cure"} == rule["annotations"].keys() for rule in RULES)


def test_the_monitors_scrape_ports_that_the_pods_have() -> None:
    chart = (ROOT / "charts/eventstreams-operator/templates/deployment.yaml").read_text(encoding="utf-8")
    builder = (ROOT / "operator/eventstreams/instance/builders/producer_pods.py").read_text(encoding="utf-8")
    ports = {
        *re.findall(r"- name: (\w+)\n +containerPort", chart),
        *re.findall(r'"name": "(\w+)", "containerPort"', builder),
    }

    asked = {end["port"] for one in SHOWN for end in one["spec"].get("podMetricsEndpoints", [])}

    assert asked == {"metrics", "health"}
    assert asked <= set(ports)
