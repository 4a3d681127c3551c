"""The schemas of what is told as l2tpctl prints it: tunnels, sessions, links, counters, plans, the log."""

from __future__ import annotations

import copy
from typing import Final

from l2tpv3.documents.schemas import (
    AUDIT_SCHEMA,
    DOCTOR_SCHEMA,
    FLEET_SCHEMA,
    FLOWS_SCHEMA,
    HOSTS_SCHEMA,
    LINKS_SCHEMA,
    MTU_SCHEMA,
    PLAN_SCHEMA,
    STATS_SCHEMA,
    STATUS_SCHEMA,
    json_schema,
)
from l2tpv3.model.hearing import Hearing
from l2tpv3.model.probe import FailoverRole
from l2tpv3.model.status import Condition
from l2tpv3_api.schemas.fields import Schema, ref

_NAMED: Final = {
    "condition": "Condition",
    "hearing": "Hearing",
    "encap": "Encap",
    "sublayer": "Sublayer",
    "sequencing": "Sequencing",
    "egress": "Egress",
    "failover": "FailoverRole",
    "type": "LinkType",
}
"""Properties that have a few values, and the schemas of those."""


def schemas() -> dict[str, Schema]:
    """All schemas of documents by name."""
    status, links = _shipped(STATUS_SCHEMA)["$defs"], _shipped(LINKS_SCHEMA)["$defs"]
    tunnel = status["tunnel"]
    tunnel["required"].remove("sessions")
    tunnel["properties"] |= {
        "counters": ref("TunnelCounters"),
        "encryption": {
            "anyOf": [ref("Encryption"), {"type": "null"}],
            "description": "Null where it is not encrypted.",
        },
        "session_count": {
            "type": "integer",
            "minimum": 0,
            "description": "Without include=sessions, in place of those.",
        },
        "wanted": _wanted("TunnelConfig"),
    }
    session = status["session"]
    session["properties"]["wanted"] = _wanted("SessionConfig")
    link = links["link"]
    link["properties"] |= {"counters": ref("LinkCounters"), "wanted": ref("LinkConfig")}
    found = {
        "Condition": {"type": "string", "enum": [*Condition]},
        "Hearing": {"type": "string", "enum": [*Hearing]},
        "FailoverRole": {"type": "string", "enum": [*FailoverRole]},
        "Tunnel": tunnel,
        "TunnelCounters": _shipped(STATUS_SCHEMA)["$defs"]["tunnel"]["properties"]["counters"],
        "Encryption": _shipped(STATUS_SCHEMA)["$defs"]["tunnel"]["properties"]["encryption"] | {"type": "object"},
        "Session": session,
        "Cookie": status["cookie"],
        "Netdev": status["netdev"],
        "Probing": status["probing"],
        "Counters": status["counters"],
        "Link": link,
        "LinkCounters": links["counters"],
        "TunnelList": _list("tunnels", "Tunnel"),
        "SessionList": _list("sessions", "Session"),
        "LinkList": _list("links", "Link", LINKS_SCHEMA),
        "ChangedTunnel": _changed(tunnel),
        "ChangedSession": _changed(session),
        "ChangedLink": _changed(link),
        **_stats(),
        **_plan(),
        **_log(),
        **_doctor(),
        **_path_mtu(),
        **_hosts(),
        **_fleet(),
        **_flows(),
    }
    return {name: _plain(schema) for name, schema in found.items()}


def _shipped(schema: str) -> Schema:
    return {key: value for key, value in json_schema(schema).items() if key not in ("$schema", "$id", "title")}


def _wanted(name: str) -> Schema:
    told = "What was asked for, as PUT takes it back; null where something else made it."
    return {"anyOf": [ref(name), {"type": "null"}], "description": told}


def _changed(schema: Schema) -> Schema:
    """A thing with what became of it beside: one object, which generators of clients make a class of."""
    made = copy.deepcopy(schema)
    made["required"] = [*made["required"], "change"]
    made["properties"]["change"] = ref("Change")
    return made


def _list(key: str, kind: str, schema: str = STATUS_SCHEMA) -> Schema:
    return {
        "type": "object",
        "required": ["schema", key, "total", "next"],
        "properties": {
            "schema": {"const": schema},
            key: {"type": "array", "items": ref(kind)},
            "total": {"type": "integer", "minimum": 0, "description": "How many there are on all pages."},
            "next": {"type": ["string", "null"], "description": "`cursor` of the next page; null on the last."},
        },
    }


def _stats() -> dict[str, Schema]:
    stats = _shipped(STATS_SCHEMA)
    session, link = (stats["properties"][key].pop("items") for key in ("sessions", "links"))
    stats["properties"]["sessions"]["items"] = ref("SessionStats")
    stats["properties"]["links"]["items"] = ref("LinkStats")
    rates, link_rates = session["properties"]["rates"], link["properties"]["rates"]
    session["properties"] |= {"counters": ref("Counters"), "rates": ref("Rates")}
    link["properties"] |= {"counters": ref("LinkCounters"), "rates": ref("LinkRates")}
    return {"Stats": stats, "SessionStats": session, "LinkStats": link, "Rates": rates, "LinkRates": link_rates}


def _plan() -> dict[str, Schema]:
    plan = _shipped(PLAN_SCHEMA)
    step = plan["properties"]["steps"].pop("items")
    plan["properties"]["steps"]["items"] = ref("Step")
    plan["required"] += ["changes"]
    plan["properties"] |= {
        "changes": {"type": "boolean", "description": "Whether anything changes, if only on record."},
        "confirm_s": {"type": ["number", "null"], "description": "Undone after so many seconds, unless confirmed."},
    }
    return {"Plan": plan, "Step": step}


def _log() -> dict[str, Schema]:
    log = _shipped(AUDIT_SCHEMA)
    entry = log["properties"]["entries"].pop("items")
    log["properties"]["entries"]["items"] = ref("LogEntry")
    return {"Log": log, "LogEntry": entry}


def _doctor() -> dict[str, Schema]:
    examination = _shipped(DOCTOR_SCHEMA)
    finding = examination["properties"]["findings"].pop("items")
    examination["properties"]["findings"]["items"] = ref("Finding")
    return {"Examination": examination, "Finding": finding}


def _hosts() -> dict[str, Schema]:
    hosts = _shipped(HOSTS_SCHEMA)
    session = hosts["properties"]["sessions"].pop("items")
    hosts["properties"]["sessions"]["items"] = ref("SessionHosts")
    host, finding = (session["properties"][key].pop("items") for key in ("hosts", "findings"))
    session["properties"]["hosts"]["items"] = ref("LanHost")
    session["properties"]["findings"]["items"] = ref("LanFinding")
    return {"LanHosts": hosts, "SessionHosts": session, "LanHost": host, "LanFinding": finding}


def _fleet() -> dict[str, Schema]:
    status = _shipped(FLEET_SCHEMA)
    host, wire = (status["properties"][key].pop("items") for key in ("hosts", "wires"))
    status["properties"]["hosts"]["items"] = ref("FleetHost")
    status["properties"]["wires"]["items"] = ref("FleetWire")
    end = wire["properties"]["ends"].pop("items")
    wire["properties"]["ends"]["items"] = ref("FleetWireEnd")
    return {"FleetStatus": status, "FleetHost": host, "FleetWire": wire, "FleetWireEnd": end}


def _flows() -> dict[str, Schema]:
    flows = _shipped(FLOWS_SCHEMA)
    flow = flows["properties"]["flows"].pop("items")
    flows["properties"]["flows"]["items"] = ref("Flow")
    return {"SessionFlows": flows, "Flow": flow}


def _path_mtu() -> dict[str, Schema]:
    path = _shipped(MTU_SCHEMA)
    session = path["properties"]["sessions"].pop("items")
    path["properties"]["sessions"]["items"] = ref("SessionFit")
    part = session["properties"]["overhead"].pop("items")
    session["properties"]["overhead"]["items"] = ref("OverheadPart")
    return {"PathMtu": path, "SessionFit": session, "OverheadPart": part}


def _plain(schema: Schema) -> Schema:
    """A shipped schema as a simple object; what may be null says so where it is used."""
    made = dict(schema)
    if made.get("type") == ["object", "null"]:
        made["type"] = "object"
    if "properties" in made:
        made["properties"] = {name: _property(name, one) for name, one in made["properties"].items()}
    return made


_NULLABLE: Final = ("netdev", "probing", "rates")


def _property(name: str, schema: Schema) -> Schema:
    if "$ref" in schema:
        target = ref(_capital(schema["$ref"].rpartition("/")[2]))
        return {"anyOf": [target, {"type": "null"}]} if name in _NULLABLE else target
    if "enum" in schema and name in _NAMED:
        rest = {key: value for key, value in schema.items() if key != "enum"}
        named = ref(_NAMED[name])
        return rest | ({"anyOf": [named, {"type": "null"}]} if None in schema["enum"] else named)
    if "enum" in schema or "const" in schema:
        return {"type": "string", **schema}
    if schema.get("type") == "array" and str(schema["items"].get("$ref", "")).startswith("#/$defs/"):
        return schema | {"items": ref(_capital(schema["items"]["$ref"].rpartition("/")[2]))}
    return schema


def _capital(name: str) -> str:
    return name[0].upper() + name[1:]
