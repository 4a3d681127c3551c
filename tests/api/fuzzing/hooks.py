"""For schemathesis: how a state is written as TOML, and what the schemas leave to the service's answers.

The schemas are plain so that generators of clients understand them. Which values go together, and which addresses there
are, is said here once more, so that what is sent as good is good.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import schemathesis
from hypothesis import strategies as st

from l2tpv3.documents.names import WORDS
from l2tpv3.model.fields import ENCRYPTION, ENCRYPTION_WORDS, TUNNEL

Schema = dict[str, Any]

_TOML = "application/toml"
_SCHEMAS = "#/components/schemas/"
_SENT = re.compile(f"({_SCHEMAS}(?:TunnelWithSessions|State|[A-Z][a-z]+(?:Config|Patch)))$")

_V4, _V6 = r"10\.[0-9]\.[0-9]\.[1-9]", "2001:db8::[1-9a-f]"
_VALUES = {
    "ip-address": f"^({_V4}|{_V6})$",
    "ip-interface": f"^({_V4}/(24|32)|{_V6}/(64|128))$",
    "ipv4": f"^{_V4}$",
    "probe": f"^(none|bfd|(icmp|bfd):({_V4}|{_V6}))$",
}
"""What texts are like, by their format."""

_MAC = "^02(:[0-9a-f]{2}){4}:[1-9a-f]{2}$"
_INNER = "^fd00::[1-9a-f]$"
_TEXTS = {
    "mac": {"pattern": _MAC},
    "source_mac": {"pattern": _MAC},
    "description": {"format": "printable"},
    "inner_address": {"pattern": _INNER},
    "peer_inner_address": {"pattern": _INNER},
}
"""The same by their name."""
schemathesis.openapi.format("printable", st.text(st.characters(categories=("L", "N")), min_size=1, max_size=40))


def _either(one: Schema, other: Schema, *required: str) -> Schema:
    """A rule: some properties are so, or others are, of which some have to be there then."""
    return {"anyOf": [{"properties": one}, {"properties": other, "required": list(required)}]}


_SAME_FAMILY = {
    "anyOf": [
        {"properties": {"remote": {"pattern": pattern}, "local": {"pattern": pattern}}} for pattern in (r"\.", ":")
    ]
}
_ATTRIBUTES = {field.word: field.attribute for field in TUNNEL}
_ENCRYPTION = _either(
    {_ATTRIBUTES[word]: {"type": "null"} for word in ENCRYPTION_WORDS} | {"encrypt": {"enum": ["none", None]}},
    {_ATTRIBUTES[word]: {"type": "null"} for word in ENCRYPTION["ipsec"]} | {"encrypt": {"const": "wireguard"}},
    "encrypt",
)
"""A tunnel says something of its encryption only where it has one. Without IPsec, which not every kernel has."""
_RULES = {
    "Tunnel": [_SAME_FAMILY, _ENCRYPTION, {"properties": {"remote_name": {"type": "null"}}}],  # no name is known here
    "Session": [
        _either({"sublayer": {"enum": ["default", None]}}, {"sequencing": {"enum": ["none", None]}}),
        _either({"bridge": {"type": "null"}}, {"address": {"maxItems": 0}}),
        _either({"egress": {"enum": ["remove", None]}}, {"vlan": {"type": "integer"}}, "vlan"),
    ],
    "Bridge": [_either({"vlan": {"maxItems": 0}}, {"vlan_filtering": {"const": True}}, "vlan_filtering")],
    "Bond": [
        _either(
            {"arp_interval_ms": {"enum": [0, None]}, "arp_target": {"maxItems": 0}},
            {
                "arp_interval_ms": {"type": "integer", "minimum": 1},
                "arp_target": {"type": "array", "minItems": 1, "maxItems": 16},
                "mode": {"enum": ["round-robin", "xor", "active-backup"]},
            },
            "arp_interval_ms",
            "arp_target",
        )
    ],
    "Macvlan": [
        _either(
            {"source_mac": {"maxItems": 0}, "mode": {"enum": ["private", "vepa", "bridge", "passthru", None]}},
            {"source_mac": {"type": "array", "minItems": 1}, "mode": {"const": "source"}},
            "source_mac",
            "mode",
        )
    ],
}
"""What goes together, by the beginning of the schema's name."""


@schemathesis.hook
def before_load_schema(context: object, raw_schema: Schema) -> None:
    """Have bodies made by the rules, without what fits one path only, and files of what they can say."""
    schemas = raw_schema["components"]["schemas"]
    ruled = {name: _ruled(name, schema) for name, schema in schemas.items() if _SENT.match(_SCHEMAS + name)}
    ruled["LinkPatch"] = _link_patch(ruled)
    schemas |= {f"{name}Sent": _sent(schema) for name, schema in ruled.items()}
    schemas |= {f"{name}File": _of_file(schema) for name, schema in ruled.items()}
    for path, operations in raw_schema["paths"].items():
        for operation in operations.values():
            content = operation.get("requestBody", {}).get("content", {})
            for media in content.values():
                media["schema"] = _sent(media["schema"])
            if path in ("/v1/plan", "/v1/apply"):
                content[_TOML] = {"schema": {"$ref": f"{_SCHEMAS}StateFile"}}


def _ruled(name: str, schema: Schema) -> Schema:
    made = copy.deepcopy(schema)
    rules = [rule for beginning, rules in _RULES.items() if name.startswith(beginning) for rule in rules]
    return made | ({"allOf": rules} if rules else {})


def _link_patch(schemas: dict[str, Schema]) -> Schema:
    """Of no type, or of one, and then only what links of it have."""
    untyped = copy.deepcopy(schemas["LinkPatch"])
    del untyped["properties"]["type"]
    typed = [copy.deepcopy(schemas[one["$ref"].rpartition("/")[2]]) for one in schemas["LinkConfig"]["oneOf"]]
    for one in typed:
        one["required"] = ["type"]
    return {"anyOf": [untyped, *typed]}


def _sent(value: Any) -> Any:
    """A schema without `name`, which is the path's; and of links, which states have too, without `transient`."""
    if isinstance(value, list):
        return list(map(_sent, value))
    if not isinstance(value, dict):
        return value
    made = {key: _sent(one) for key, one in value.items() if key != "discriminator"}
    if "$ref" in made:
        made["$ref"] = _SENT.sub(r"\1Sent", made["$ref"])
    if made.get("format") in _VALUES:
        made["pattern"] = _VALUES[made.pop("format")]
    if isinstance(properties := made.get("properties"), dict):
        left_out = ("name", "transient") if "type" in properties or "stp" in properties else ("name",)
        made["properties"] = {name: one for name, one in properties.items() if name not in left_out}
        for name, like in _TEXTS.items():
            _have_texts(made["properties"].get(name), like)
    return made


def _have_texts(value: Any, like: Schema) -> None:
    """Have texts in a schema be like that."""
    if isinstance(value, dict):
        if value.get("type") == "string":
            value |= like
        for one in list(value.values()):
            _have_texts(one, like)
    elif isinstance(value, list):
        for one in value:
            _have_texts(one, like)


def _of_file(value: Any) -> Any:
    """The same with a file's keys, which has no null."""
    return _by_words(_sent(value))


def _by_words(value: Any) -> Any:
    if isinstance(value, list):
        return [_by_words(one) for one in value if one != {"type": "null"}]
    if not isinstance(value, dict):
        return value
    made = {key: _by_words(one) for key, one in value.items()}
    if "$ref" in made:
        made["$ref"] = re.sub("Sent$", "File", made["$ref"])
    if isinstance(properties := made.get("properties"), dict):
        made["properties"] = {WORDS.get(name, name): one for name, one in properties.items() if name != "transient"}
        made["required"] = [WORDS.get(name, name) for name in made.get("required", ())]
    return made


@schemathesis.serializer(_TOML)
def as_toml(context: object, value: Any) -> bytes:
    """A document of inline tables. What TOML has not, null above all, stays as JSON writes it and is no TOML."""
    if isinstance(value, bytes):
        return value
    if not isinstance(value, dict):
        return _value(value).encode("utf-8", "replace")
    return "".join(f"{_text(key)} = {_value(one)}\n" for key, one in value.items()).encode("utf-8", "replace")


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(key)} = {_value(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # JSON has one kind of number, TOML two
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


@schemathesis.hook
def filter_body(context: object, body: Any) -> bool:
    """A range of VLANs begins at its lower end, and _can_be of each object."""
    wrong = any(int(low) > int(high) for text in _texts(body) for low, high in re.findall(r"(\d+)-(\d+)", text))
    return not wrong and all(map(_can_be, _tables(body)))


def _can_be(table: dict[str, Any]) -> bool:
    """A tunnel has two ends, and people can read descriptions."""
    if "remote" in table and table["remote"] == table.get("local"):
        return False
    return str(table.get("description", "")).isprintable()


def _texts(value: Any) -> Iterator[str]:
    """Of a body's lists `vlan`."""
    for table in _tables(value):
        if isinstance(table.get("vlan"), list):
            yield from (text for text in table["vlan"] if isinstance(text, str))


def _tables(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for one in value.values():
            yield from _tables(one)
