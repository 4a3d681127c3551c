"""JSON schemas of the words that bodies may have, from the schema of files; tighter, so that what fits is accepted."""

from __future__ import annotations

import copy
import json
from collections.abc import Collection
from importlib import resources
from typing import Any, Final

NAME: Final = "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
_COOKIE: Final = "^(none|[0-9a-fA-F]{8}([0-9a-fA-F]{8})?)$"
_BYTE: Final = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
V4: Final = rf"(22[0-3]|2[01][0-9]|1[0-9][0-9]|[1-9][0-9]?)\.{_BYTE}\.{_BYTE}\.{_BYTE}"
_GROUP: Final = "[0-9a-fA-F]{1,4}"
_GLOBAL: Final = "([23][0-9a-fA-F]{3}|[fF][cdCD][0-9a-fA-F]{2})"  # RFC 4291 2000::/3, RFC 4193 fc00::/7
_V6: Final = "|".join(
    [f"{_GLOBAL}(:{_GROUP}){{7}}"]
    + [f"{_GLOBAL}(:{_GROUP}){{{n}}}::({_GROUP}(:{_GROUP}){{0,{5 - n}}})?" for n in range(6)]
    + ["::1", f"[fF][eE]80::{_GROUP}(:{_GROUP}){{0,3}}%[A-Za-z0-9._-]{{1,15}}"]
)
"""Unicast addresses: global, unique local, loopback, and link-local ones with their netdev."""
NETDEV: Final = "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,14}$"
NETNS: Final = "^([A-Za-z0-9_-][A-Za-z0-9._-]{0,63}|/[A-Za-z0-9._/-]{1,200})$"

MAC: Final = "^[0-9a-fA-F][02468aceACE](:[0-9a-fA-F]{2}){4}:[0-9a-fA-F][1-9a-fA-F]$"
TRANSIENT: Final = {"type": "boolean", "description": "Whether it is forgotten at the next boot. Default: false."}


def tunnel(datapaths: Collection[str]) -> dict[str, Any]:
    """The words of a tunnel, as PUT takes them."""
    schema = shipped("tunnel")
    del schema["properties"]["session"]
    return _tunnel(schema, datapaths) | {"properties": schema["properties"] | {"transient": TRANSIENT}}


def session() -> dict[str, Any]:
    """The words of a session, as PUT takes them."""
    schema = shipped("session")
    words = schema["properties"]
    for word in ("tx-cookie", "rx-cookie"):
        end = "sends; the peer's rx-cookie" if word == "tx-cookie" else "expects; the peer's tx-cookie"
        words[word] = {
            "type": "string",
            "pattern": _COOKIE,
            "description": f'What this end {end}. 8 or 16 hex digits, or "none". Default: 64 random bits.',
        }
    words["ifname"] |= {"pattern": NETDEV}
    words["bridge"] |= {"pattern": NETDEV}
    words["netns"] |= {"pattern": NETNS}
    words["mac"] |= {"pattern": MAC}
    words["address"] = addresses()
    # The file's schema says the same with `not`, which generators of examples can't always follow. null is a patch's.
    schema["allOf"] = [
        _either({"sublayer": {"enum": ["default", None]}}, {"sequencing": {"enum": ["none", None]}}),
        _either({"bridge": {"type": "null"}}, {"address": {"maxItems": 0}}),
        {"anyOf": [{"properties": {"egress": {"enum": ["remove", None]}}}, _A_VLAN]},
    ]
    return numbers(schema)


def addresses() -> dict[str, Any]:
    """A netdev's addresses."""
    prefixes = rf"{V4}/([12]?[0-9]|3[0-2])|({_V6_PLAIN})/([1-9]?[0-9]|1[01][0-9]|12[0-8])"
    address = {"type": "string", "pattern": f"^({prefixes})$"}
    return {
        "type": "array", "items": address, "uniqueItems": True, "maxItems": 64,
        "description": "Addresses of the netdev, with prefix lengths.", "examples": [["10.0.0.1/24", "2001:db8::1/64"]],
    }  # fmt: skip


def _either(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """One of two, of words that may be left out."""
    return {"anyOf": [{"properties": one}, {"properties": other}]}


_A_VLAN: Final = {"required": ["vlan"], "properties": {"vlan": {"type": "integer"}}}
_V6_PLAIN: Final = "|".join(_V6.split("|")[:-1])


def _tunnel(schema: dict[str, Any], datapaths: Collection[str]) -> dict[str, Any]:
    words = schema["properties"]
    for word in ("remote", "local"):
        words[word] |= {"pattern": f"^({V4}|{_V6})$", "maxLength": 64}
    families = [
        {"properties": {word: {"pattern": pattern} for word in ("remote", "local")}} for pattern in (r"\.", ":")
    ]
    words["netns"] |= {"pattern": NETNS}
    words["datapath"]["enum"] = list(datapaths)
    return numbers(schema) | {"anyOf": families}


def state(datapaths: Collection[str], link: dict[str, Any]) -> dict[str, Any]:
    """A whole wanted state, shaped as files are. link: the words of one."""
    one = _tunnel(shipped("tunnel"), datapaths)
    one["properties"]["session"] = {
        "type": "object",
        "description": "The tunnel's sessions by name.",
        "propertyNames": {"pattern": NAME},
        "additionalProperties": {"$ref": "#/components/schemas/SessionWords"},
    }
    return {
        "type": "object",
        "description": "Tunnels and links as they are wanted.",
        "additionalProperties": False,
        "properties": {
            "tunnel": {
                "type": "object",
                "description": "Tunnels by name.",
                "propertyNames": {"pattern": NAME},
                "additionalProperties": one,
            },
            "link": {
                "type": "object",
                "description": "Links by name.",
                "propertyNames": {"pattern": NAME},
                "additionalProperties": link,
            },
        },
    }


def patch(schema: dict[str, Any], *, keep: Collection[str] = ()) -> dict[str, Any]:
    """As RFC 7396 has it: nothing is required, and null resets. keep: words that can't be reset."""
    made = {key: value for key, value in schema.items() if key != "required"}
    made["properties"] = {
        word: one if word in keep else {"anyOf": [one, {"type": "null"}]}
        for word, one in schema["properties"].items()
        if word != "transient"
    }
    return made


def whole(schema: dict[str, Any]) -> dict[str, Any]:
    """As PUT takes them: null, which is in what GET tells as `wanted`, is a word's default."""
    keep = schema.get("required", ())
    more = {key: schema[key] for key in ("required",) if key in schema}
    made = patch(schema, keep=keep) | more
    if "transient" in schema["properties"]:
        made["properties"]["transient"] = schema["properties"]["transient"]
    return made


def numbers(schema: dict[str, Any]) -> dict[str, Any]:
    """Numbers as JSON has them; that text does as well need not be said."""
    for word, one in schema["properties"].items():
        kinds = one.get("anyOf")
        if kinds and word != "address":
            kept = [kind for kind in kinds if kind.get("type") != "string"]
            rest = {key: value for key, value in one.items() if key != "anyOf"}
            schema["properties"][word] = rest | (kept[0] if len(kept) == 1 else {"anyOf": kept})
    return schema


def shipped(name: str) -> dict[str, Any]:
    """The schema of what files call so, to be changed."""
    text = resources.files("l2tpv3").joinpath("schemas", "config.v1.json").read_text("utf-8")
    return copy.deepcopy(dict(json.loads(text)["definitions"][name]))
