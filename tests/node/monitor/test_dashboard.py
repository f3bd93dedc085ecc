"""The dashboard and the alerts ask for what a Monitor exports: each metric, each label, each value of a label."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.node.monitor.promql import asked
from tests.node.monitor.stories import line, shown
from webapi.voice_node.node.monitor import labels
from webapi.voice_node.node.monitor.monitor import Monitor

FOLDER = Path(__file__).parents[3] / "deploy" / "monitoring"
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
RULES = [rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
PROMETHEUS_OWN = {"job", "instance"}
VALUES = {
    "begun_by": labels.BEGUN_BY,
    "outcome": labels.TURN_OUTCOMES,
    "part": labels.PARTS,
    "where": labels.DROPS,
    "code": labels.CODES,
    "hook": labels.HOOKS,
    "problem": labels.PROBLEMS,
}


def exported() -> dict[str, set[str]]:
    """The labels of each series that a Monitor exports, by the name in PromQL."""
    monitor = Monitor()
    monitor.on_turn(line())
    found: dict[str, set[str]] = {"up": set()}
    for name, pairs in shown(monitor.text()):
        found.setdefault(name, set()).update(label for label, _ in pairs)
    return found


EXPORTED = exported()


def queries() -> Iterator[tuple[str, str]]:
    for panel in PANELS:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for rule in RULES:
        yield rule["alert"], rule["expr"]


@pytest.mark.parametrize(("where", "expression"), list(queries()))
def test_every_query_asks_for_what_there_is(where: str, expression: str) -> None:
    found = asked(expression)
    assert found.metrics
    possible = set(PROMETHEUS_OWN)
    for name, matchers in found.metrics.items():
        assert name in EXPORTED, name
        possible |= EXPORTED[name]
        for label, value in matchers:
            assert label in EXPORTED[name] | PROMETHEUS_OWN, (name, label)
            if label in VALUES:
                assert set(value.split("|")) <= set(VALUES[label]), (label, value)
        # A histogram's buckets are nothing without `le`, and its name alone is no series.
        assert not name.endswith("_bucket") or "le" in found.grouped_by
    assert found.grouped_by <= possible


@pytest.mark.parametrize(
    "wrong",
    [
        "sum(voice_node_active_call)",
        'sum(voice_node_turns_total{result="failed"})',
        "sum by (room) (voice_node_turns_total)",
        "sum(voice_node_active_calls))",
        "sum((voice_node_active_calls)",
        'voice_node_turns_total{outcome="fails"}',
        "histogram_quantile(0.5, rate(voice_node_loop_lag_seconds_bucket[5m]))",
    ],
)
def test_the_rule_on_queries_sees_what_it_is_for(wrong: str) -> None:
    with pytest.raises((AssertionError, ValueError)):
        test_every_query_asks_for_what_there_is("", wrong)


def test_every_metric_of_ours_is_on_the_dashboard() -> None:
    on_it = {name for panel in PANELS for target in panel["targets"] for name in asked(target["expr"]).metrics}
    on_it |= set(re.findall(r"voice_node_\w+", json.dumps(DASHBOARD["templating"])))
    stems = {re.sub(r"_(bucket|sum|count)$", "", name) for name in on_it}
    missing = {re.sub(r"_(bucket|sum|count)$", "", name) for name in EXPORTED if name.startswith("voice_node_")} - stems
    # The alerts ask for the one, and the seconds of stalls say more than the other.
    assert missing == {"voice_node_draining", "voice_node_stalls_total"}


def test_the_dashboard_fits_any_grafana() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert variables == {"datasource", "job", "instance"}
    for panel in PANELS:
        assert panel["description"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs) > 0
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"]
            assert set(re.findall(r"\$(\w+)", target["expr"])) <= variables | {"__rate_interval"}
            assert target["expr"].count('job=~"$job", instance=~"$instance"') == len(
                re.findall(r"voice_node_\w+", target["expr"])
            )
    assert "id" not in DASHBOARD  # Grafana gives it when the dashboard is imported


def test_no_panel_covers_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_says_what_to_do_and_names_only_what_it_has(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(rule["annotations"]) == {"summary", "description"}
    found = asked(rule["expr"])
    has = found.grouped_by or set().union(*(EXPORTED[name] for name in found.metrics)) | PROMETHEUS_OWN
    assert set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"]))) <= has


def test_every_alert_has_a_history_in_which_it_fires_and_a_row_in_the_document() -> None:
    histories = (FOLDER / "alerts_test.yml").read_text(encoding="utf-8")
    document = (FOLDER.parents[1] / "docs" / "monitoring.md").read_text(encoding="utf-8")
    fired = set(re.findall(r'alertname="(\w+)"', histories)) | {
        rule["alertname"]
        for test in yaml.safe_load(histories)["tests"]
        for rule in test.get("alert_rule_test", ())
        if "exp_alerts" in rule
    }
    assert {rule["alert"] for rule in RULES} == fired
    assert fired == set(re.findall(r"^\| `(VoiceNode\w+)`", document, re.MULTILINE))


def test_every_metric_has_a_row_in_the_document() -> None:
    document = (FOLDER.parents[1] / "docs" / "monitoring.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(voice_node_\w+)` \|(.*?)\|", document, re.MULTILINE))
    stems: dict[str, set[str]] = {}
    for name, of_it in EXPORTED.items():
        if name.startswith("voice_node_"):
            stem = re.sub(r"_seconds_(bucket|sum|count)$", "_seconds", name)
            stems.setdefault(stem, set()).update(of_it - {"le"})
    assert {name: set(re.findall(r"`(\w+)`", row)) for name, row in rows.items()} == stems
