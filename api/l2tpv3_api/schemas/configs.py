"""The schemas of what requests say of a tunnel, a session or a link, and of what is told as `wanted`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from l2tpv3.model import fields
from l2tpv3.model.fields import Field
from l2tpv3.model.links.options import LinkType, options_type
from l2tpv3_api.schemas.fields import NAME, Schema, enumerations, properties, ref

_NAME: Final = {
    "title": fields.NAME.label,
    "type": "string",
    "pattern": NAME,
    "description": "Its name, if given the one in the path.",
}
_TRANSIENT: Final = {
    "title": "Forget at the next boot",
    "description": "Whether the next boot forgets it; of a whole state nothing is. Default: as it was, or false.",
    "anyOf": [{"type": "boolean"}, {"type": "null"}],
}


def schemas(datapaths: Collection[str]) -> dict[str, Schema]:
    """All schemas of configurations by name. datapaths: the values that a tunnel's `datapath` may have."""
    links = {link_config(type_): _link(type_) for type_ in LinkType}
    return {
        **enumerations(datapaths),
        "TunnelConfig": _object("What a tunnel is to be.", fields.TUNNEL, transient=True),
        "TunnelPatch": _patch("What is to change of a tunnel.", fields.TUNNEL),
        "SessionConfig": _object(
            "What a session is to be. Without the sublayer it can't be sequenced, without a vlan its egress is remove, "
            "and as a port of a bridge it has no addresses.",
            fields.SESSION,
        ),
        "SessionPatch": _patch("What is to change of a session.", fields.SESSION),
        **links,
        "LinkConfig": {
            "description": "What a link is to be: its type says what it has.",
            "oneOf": [ref(name) for name in links],
            "discriminator": {
                "propertyName": "type",
                "mapping": {str(type_): ref(link_config(type_))["$ref"] for type_ in LinkType},
            },
        },
        "LinkPatch": _link_patch(),
        "TunnelWithSessions": _tunnel_with_sessions(),
        "State": _state(),
    }


def link_config(type_: LinkType) -> str:
    """The name of the schema of a type's links."""
    return f"{type_.capitalize()}Config"


def _object(text: str, fields_: Collection[Field], *, transient: bool = False) -> Schema:
    required = [one.word for one in fields_ if one.required]
    return {
        "type": "object",
        "description": text,
        "additionalProperties": False,
        **({"required": required} if required else {}),
        "properties": {"name": _NAME, **properties(fields_), **({"transient": _TRANSIENT} if transient else {})},
    }


def _patch(text: str, fields_: Iterable[Field]) -> Schema:
    """The schema of a JSON merge patch (RFC 7396): nothing is required, and null resets what has a default."""
    return {
        "type": "object",
        "description": f"{text} null takes what it names back to the default.",
        "additionalProperties": False,
        "properties": {"name": _NAME, **properties(fields_)},
    }


def _link_fields(type_: LinkType) -> list[Field]:
    own_netdev = options_type(type_).own_netdev
    return [one for one in fields.link_fields(type_).values() if own_netdev or one.word not in fields.NO_NETDEV]


def _link(type_: LinkType) -> Schema:
    options = options_type(type_)
    made = _object(f"What {type_.with_article} is to be.", _link_fields(type_), transient=True)
    kind: Schema = {"title": fields.TYPE.label, "type": "string", "const": str(type_)}
    made["properties"] = {"type": kind, **made["properties"]}
    made["required"] = ["type", *made.get("required", ())]
    if options.least_over:
        made["required"].append("over")
        most = {} if options.most_over is None else {"maxItems": options.most_over}
        over = made["properties"]["over"]
        items = over.pop("anyOf")[0] | {"minItems": options.least_over, **most}
        made["properties"]["over"] = over | items
    elif options.most_over is not None:
        made["properties"]["over"]["anyOf"][0]["maxItems"] = options.most_over
    return made


def _link_patch() -> Schema:
    """What any type has; a field that several types have takes the values of each."""
    found: dict[str, Schema] = {}
    for type_ in LinkType:
        for name, schema in properties(_link_fields(type_)).items():
            found[name] = _either(found[name], schema) if name in found else schema
    return {
        "type": "object",
        "description": "What is to change of a link: of its type as it is, or of the one that is given. null takes "
        "what it names back to the default.",
        "additionalProperties": False,
        "properties": {
            "type": {"title": fields.TYPE.label, **ref("LinkType")},
            "name": _NAME,
            **found,
        },
    }


def _either(one: Schema, other: Schema) -> Schema:
    kinds = [*one["anyOf"][:-1], *(kind for kind in other["anyOf"][:-1] if kind not in one["anyOf"]), {"type": "null"}]
    return one | {"anyOf": kinds}


def _tunnel_with_sessions() -> Schema:
    made = _object("A tunnel of a whole state, with its sessions.", fields.TUNNEL)
    made["properties"]["session"] = _by_name("The tunnel's sessions by name.", "SessionConfig")
    return made


def _state() -> Schema:
    return {
        "type": "object",
        "description": "Tunnels and links as they are wanted.",
        "additionalProperties": False,
        "properties": {
            "tunnel": _by_name("Tunnels by name.", "TunnelWithSessions"),
            "link": _by_name("Links by name.", "LinkConfig"),
        },
    }


def _by_name(text: str, schema: str) -> dict[str, Any]:
    return {
        "type": "object",
        "description": text,
        "propertyNames": {"pattern": NAME},
        "additionalProperties": ref(schema),
    }
