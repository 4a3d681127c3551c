"""Makes the properties of the API's schemas from the table of fields (l2tpv3/model/fields.py).

A property says what a program needs to make a value of it: its kind, and its bounds. Which values go together is left
to descriptions and to the service's answers, as generators of clients stumble over rules. Defaults are told in words:
of `default` generated clients take that they have to send it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any, Final

from l2tpv3.documents.names import name_of
from l2tpv3.model import fields
from l2tpv3.model.fields import Field

Schema = dict[str, Any]

NAME: Final = "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
"""What a tunnel, a session or a link can be called."""

_DEVICE: Final = "([A-Za-z0-9][A-Za-z0-9._-]{0,14}|[A-Za-z0-9][A-Za-z0-9._-]{0,62}/[A-Za-z0-9][A-Za-z0-9._-]{0,62})"
_VLAN: Final = "([1-9][0-9]{0,2}|[1-3][0-9]{3}|40[0-8][0-9]|409[0-4])"
_MAC: Final = "[0-9a-fA-F][02468aceACE](:[0-9a-fA-F]{2}){4}:[0-9a-fA-F]{2}"
_NAME: Final = "[A-Za-z0-9][A-Za-z0-9._-]{0,62}"

_TEXTS: Final[dict[str, Schema]] = {
    "address": {"format": "ip-address"},
    "host-name": {"pattern": "^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\\.[A-Za-z0-9-]+)*$", "maxLength": 253},
    "interfaces": {"format": "ip-interface"},
    "link-interfaces": {"format": "ip-interface"},
    "ipv4-list": {"format": "ipv4"},
    "cookie": {"pattern": "^(none|[0-9a-fA-F]{8}([0-9a-fA-F]{8})?)$"},
    "key": {"pattern": "^[A-Za-z0-9+/]{43}=$"},
    "pre-shared-key": {"pattern": "^(?!credential:)[!#-&(->A-\\[\\]-_a-~][!#-&(->@-\\[\\]-_a-~]{7,127}$"},
    "ifname": {"pattern": "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,14}$"},
    "netns": {"pattern": "^([A-Za-z0-9_-][A-Za-z0-9._-]{0,63}|/[A-Za-z0-9._/-]{1,200})$"},
    "mac": {"pattern": f"^{_MAC}$"},
    "macs": {"pattern": f"^{_MAC}$"},
    "devices": {"pattern": f"^{_DEVICE}$"},
    "members": {"pattern": f"^{_DEVICE}$"},
    "member": {"pattern": f"^{_DEVICE}$"},
    "member-vlans": {"pattern": f"^{_DEVICE}={_VLAN}u?(\\+{_VLAN}(-{_VLAN})?)*$"},
    "probe": {"format": "probe"},
    "on-dead": {"pattern": "^(nothing|carrier|hook:[A-Za-z0-9][A-Za-z0-9._-]{0,62})$"},
    "session-name": {"pattern": f"^{_NAME}/{_NAME}$"},
    "text": {"minLength": 1},
}
"""What text of a type is like. `ip-address` is an IPv4 or IPv6 address, `ip-interface` one with a prefix length.
`probe` is none, bfd, or icmp: or bfd: and an address."""

_WORDS_BESIDE: Final[dict[str, list[Schema]]] = {"dscp": [{"$ref": "#/components/schemas/Inherit"}]}
"""What values of a type of numbers may also be."""

_BOOLEANS: Final = ("boolean", "switch", "on-off")
_ENUMERATION: Final = re.compile("[A-Z]")


def ref(name: str) -> dict[str, str]:
    """A reference to the schema of that name."""
    return {"$ref": f"#/components/schemas/{name}"}


def properties(fields_: Iterable[Field]) -> dict[str, Schema]:
    """Fields as the properties of an object, by their names; null is the default of those that have one."""
    return {name_of(one.word): _property(one) for one in fields_}


def enumerations(datapaths: Collection[str]) -> dict[str, Schema]:
    """The schemas of fields that have a few values. datapaths: what a tunnel's `datapath` may be on this host."""
    found = {"Auto": ["auto"], "Inherit": ["inherit"], "Datapath": list(datapaths)}
    own = [field for type_ in fields.LINK_TYPES.values() for field in type_]
    for field in (fields.TYPE, *fields.TUNNEL, *fields.SESSION, *own):
        if _ENUMERATION.match(field.type):
            found[field.type] = list(field.choices)
    return {name: {"type": "string", "enum": choices} for name, choices in found.items()}


def _property(field: Field) -> Schema:
    kinds = [*_kinds(field), *([] if field.required else [{"type": "null"}])]
    made: Schema = {"title": field.label, "description": _description(field)}
    made |= kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    if field.example:
        made["examples"] = [field.example.split() if field.many else field.example]
    return made


def _kinds(field: Field) -> list[Schema]:
    """What values it may have, by kind."""
    if field.word == "datapath":
        return [ref("Datapath")]
    if _ENUMERATION.match(field.type):
        return [ref(field.type)]
    if field.type in _BOOLEANS:
        return [{"type": "boolean"}]
    if field.low is not None:
        number = {"type": "integer", "minimum": field.low, "maximum": field.high}
        return [number, *([ref("Auto")] if field.default == "auto" else _WORDS_BESIDE.get(field.type, []))]
    text = {"type": "string", **_TEXTS[field.type]}
    if field.high is not None:
        text["maxLength"] = field.high
    return [{"type": "array", "items": text, "uniqueItems": True}] if field.many else [text]


_SECRETS: Final = {
    "cookie": '8 or 16 hex digits, or "none".',
    "key": "44 characters of base64.",
    "pre-shared-key": "8 to 128 ASCII characters, without spaces, quotes, backslashes and question marks.",
}
"""What the API takes of these types: no files that hold one."""


def _description(field: Field) -> str:
    """What a field is, and what leaving it out means, with other fields called as the API calls them."""
    secret = _SECRETS.get(field.type)
    told = f"{field.label}: {secret}" if secret else field.help.replace("; may be repeated", "")
    sentences = [told[:1].upper() + told[1:]]
    if field.details:
        sentences.append(field.details)
    default = field.default_text or _default(field)
    if default:
        sentences.append(f"Default: {default}.")
    return re.sub(r"--([a-z][a-z-]*)", lambda found: name_of(found[1]), " ".join(sentences))


def _default(field: Field) -> str:
    if field.many or field.default is None:
        return "none" if field.many or field.optional else ""
    return str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
