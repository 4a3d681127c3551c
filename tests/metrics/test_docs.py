"""The reference page, the dashboard and the alert rules speak of the metrics that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from l2tpv3.metrics.host import Family, families
from l2tpv3_api.http.request_metrics import RequestCounts
from l2tpv3_api.server.refusals import Refusals

DOCS = Path(__file__).parents[2] / "docs"
_NAME = re.compile(r"\bl2tpv3_[a-z0-9_]+")
_ROUTE = Path(__file__).parents[2] / "api/l2tpv3_api/routes/metrics.py"


def _names(told: list[Family]) -> set[str]:
    """As they are stored: counters and infos with their suffix, histograms with all of theirs."""
    names: set[str] = set()
    for one in told:
        suffixes = {"counter": ["_total"], "info": ["_info"], "histogram": ["", "_bucket", "_sum", "_count"]}
        names |= {one.name + suffix for suffix in suffixes.get(one.kind, [""])}
    return names


def _all() -> set[str]:
    own = re.findall(r'"(l2tpv3_api_[a-z_]+)", "(gauge|counter)"', _ROUTE.read_text().replace("\n            ", " "))
    assert len(own) == 4
    counted = [*RequestCounts().families(), *Refusals().families()]
    return _names([*families([]), *counted, *(Family(name, kind, "", []) for name, kind in own)])


def test_the_page_has_all_of_them_and_no_others() -> None:
    there = {name for name in _all() if not name.endswith(("_seconds_bucket", "_seconds_sum", "_seconds_count"))}
    assert set(_NAME.findall((DOCS / "metrics.md").read_text())) == there


def test_the_rules_are_about_what_there_is() -> None:
    named = set(_NAME.findall((DOCS / "grafana/alerts.yaml").read_text()))
    assert named and named <= _all()


def test_the_dashboard_is_about_what_there_is() -> None:
    dashboard: dict[str, Any] = json.loads((DOCS / "grafana/l2tpv3.json").read_text())
    assert dashboard["title"] and dashboard["uid"] and dashboard["schemaVersion"] >= 36
    panels = dashboard["panels"]
    assert len({one["id"] for one in panels}) == len(panels)
    assert not [one["title"] for one in panels if one["gridPos"]["x"] + one["gridPos"]["w"] > 24]
    shown = [target["expr"] for one in panels for target in one.get("targets", [])]
    asked = [one["definition"] for one in dashboard["templating"]["list"] if one["type"] == "query"]
    assert len(shown) >= 20 and len(asked) == 4
    named = {name for text in shown + asked for name in _NAME.findall(text)}
    assert named <= _all()
    assert {f"l2tpv3_session_{one}_total" for one in ("rx_bytes", "tx_bytes", "rx_cookie_discards")} <= named
    assert {f"l2tpv3_link_{one}" for one in ("up", "carrier", "worker_up", "rx_bytes_total", "condition")} <= named
    variables = {one["name"] for one in dashboard["templating"]["list"]}
    used = {name for text in shown for name in re.findall(r"\$(\w+)", text)} - {"__rate_interval"}
    assert used <= variables
    assert all(text.count("(") == text.count(")") and text.count("{") == text.count("}") for text in shown)
