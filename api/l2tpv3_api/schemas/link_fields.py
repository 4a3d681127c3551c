"""JSON schemas of the words of links, one for each type, from the schema of files."""

from __future__ import annotations

from typing import Any, Final

from l2tpv3.model.links.options import LinkType, options_type
from l2tpv3_api.schemas.fields import MAC, NAME, NETDEV, NETNS, TRANSIENT, V4, addresses, numbers, patch, shipped, whole

_DEVICE: Final = "[A-Za-z0-9][A-Za-z0-9._-]{0,14}"
_OVER: Final = f"({_DEVICE}|{NAME[1:-1]}/{NAME[1:-1]})"
_VLAN: Final = "([1-9][0-9]{0,2}|[1-3][0-9]{3}|40[0-8][0-9]|409[0-4])"
_LISTS: Final = {
    "over": f"^{_OVER}$",
    "isolated": f"^{_OVER}$",
    "vlan": f"^{_OVER}={_VLAN}u?(\\+{_VLAN}(-{_VLAN})?)*$",
    "arp-target": f"^{V4}$",
    "source-mac": MAC.replace("A-F", "").replace("ACE", ""),
}
"""Words of links that are lists of texts, with what each text is like."""
_TOGETHER: Final[dict[str, list[tuple[dict[str, Any], dict[str, Any], list[str]]]]] = {
    "bridge": [({"vlan": {"maxItems": 0}}, {"vlan-filtering": {"enum": [True, "on"]}}, ["vlan-filtering"])],
    "bond": [
        (
            {"arp-interval-ms": {"enum": [0, None]}, "arp-target": {"maxItems": 0}},
            {
                "arp-interval-ms": {"type": "integer", "minimum": 1},
                "arp-target": {"type": "array", "minItems": 1},
                "mode": {"enum": ["round-robin", "xor", "active-backup"]},
            },
            ["arp-interval-ms", "arp-target"],
        )
    ],
    "macvlan": [
        (
            {"source-mac": {"maxItems": 0}, "mode": {"enum": ["private", "vepa", "bridge", "passthru", None]}},
            {"source-mac": {"type": "array", "minItems": 1}, "mode": {"const": "source"}},
            ["source-mac", "mode"],
        )
    ],
}
"""Words that go together, by type: either they are so, or so, and then they have to be given."""


def words() -> dict[str, Any]:
    """The words of a link, as files have them."""
    return {"oneOf": [_link(kind) for kind in _kinds()]}


def put_words() -> dict[str, Any]:
    """The words of a link, as PUT takes them."""
    made = words()
    for one in made["oneOf"]:
        one["properties"]["transient"] = TRANSIENT
    return {"oneOf": [whole(one) for one in made["oneOf"]]}


def patch_words() -> dict[str, Any]:
    """Some words of a link: of its type as it is, or of the one that is given."""
    kinds = [_link(kind, together=False) for kind in _kinds()]
    words: dict[str, Any] = {}
    for one in kinds:
        for word, schema in one["properties"].items():
            words[word] = _widened(words[word], schema) if word in words else dict(schema)
    del words["type"]
    untyped = {"type": "object", "additionalProperties": False, "properties": words}
    typed = [patch(one, keep=("type",)) | {"required": ["type"]} for one in kinds]
    return {"anyOf": [patch(untyped), *typed]}


def _widened(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """What either of two takes, of a word that several types have."""
    if "enum" in one:
        return one | {"enum": list(dict.fromkeys([*one["enum"], *other["enum"]]))}
    return one


def _kinds() -> list[dict[str, Any]]:
    return [one["then"] for one in shipped("link")["allOf"]]


def _link(schema: dict[str, Any], *, together: bool = True) -> dict[str, Any]:
    kind = schema["properties"]["type"]["const"]
    words = schema["properties"]
    for word, pattern in _LISTS.items():
        if word in words:
            told = {key: value for key, value in words[word].items() if key not in ("anyOf", "examples")}
            item = {"type": "string", "pattern": pattern}
            words[word] = told | {"type": "array", "items": item, "uniqueItems": True, "maxItems": 16}
    if "over" in words:
        least, most = _over(kind)
        words["over"] |= {"minItems": least} | ({} if most is None else {"maxItems": most})
    for word, pattern in (("ifname", NETDEV), ("netns", NETNS), ("over-netns", NETNS), ("mac", MAC)):
        if word in words:
            words[word] |= {"pattern": pattern}
    if "primary" in words:
        words["primary"] |= {"pattern": f"^{_OVER}$"}
    if "address" in words:
        words["address"] = addresses()
    made = {"type": "object", **numbers(schema), "required": ["type", *schema.get("required", [])]}
    if together and kind in _TOGETHER:
        made["allOf"] = [
            {"anyOf": [{"properties": one}, {"properties": other, "required": needed}]}
            for one, other, needed in _TOGETHER[kind]
        ]
    return made


def _over(kind: str) -> tuple[int, int | None]:
    options = options_type(LinkType(kind))
    return options.least_over, options.most_over
