"""The names of the documents that programs are told, with version, and the JSON Schemas that ship for them.

They are in `l2tpv3/schemas/`; docs/l2tpctl.md describes them. Within a version fields are only added.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

STATUS_SCHEMA = "l2tpv3/status/v1"
STATS_SCHEMA = "l2tpv3/stats/v1"
ERROR_SCHEMA = "l2tpv3/error/v1"
PLAN_SCHEMA = "l2tpv3/plan/v1"
AUDIT_SCHEMA = "l2tpv3/audit/v1"
TOKENS_SCHEMA = "l2tpv3/tokens/v1"
LINKS_SCHEMA = "l2tpv3/links/v1"
MTU_SCHEMA = "l2tpv3/mtu/v1"
DOCTOR_SCHEMA = "l2tpv3/doctor/v1"
PING_SCHEMA = "l2tpv3/ping/v1"
FLEET_SCHEMA = "l2tpv3/fleet-status/v1"
HOSTS_SCHEMA = "l2tpv3/hosts/v1"
FLOWS_SCHEMA = "l2tpv3/flows/v1"

_FILES = {
    STATUS_SCHEMA: "status.v1.json",
    STATS_SCHEMA: "stats.v1.json",
    ERROR_SCHEMA: "error.v1.json",
    PLAN_SCHEMA: "plan.v1.json",
    AUDIT_SCHEMA: "audit.v1.json",
    TOKENS_SCHEMA: "tokens.v1.json",
    LINKS_SCHEMA: "links.v1.json",
    MTU_SCHEMA: "mtu.v1.json",
    DOCTOR_SCHEMA: "doctor.v1.json",
    PING_SCHEMA: "ping.v1.json",
    FLEET_SCHEMA: "fleet-status.v1.json",
    HOSTS_SCHEMA: "hosts.v1.json",
    FLOWS_SCHEMA: "flows.v1.json",
}


def json_schema(schema: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of documents that say `"schema": schema`. KeyError when there is none."""
    text = resources.files("l2tpv3").joinpath("schemas", _FILES[schema]).read_text("utf-8")
    result: dict[str, Any] = json.loads(text)
    return result
