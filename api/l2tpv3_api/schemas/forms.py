"""Makes fields.js from the table of fields: what the forms of the dashboard ask for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from l2tpv3.documents.names import name_of
from l2tpv3.model.fields import LINK, LINK_TYPES, NO_NETDEV, SESSION, TUNNEL, TYPE, Field
from l2tpv3.model.links.options import LinkType, options_type

_KINDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("id", "port", "integer", "number", "mtu", "link-mtu"), "number"),
    **dict.fromkeys(("switch", "boolean"), "switch"),
}


def script() -> str:
    """The text of fields.js: the fields of each form, in the table's order."""
    kinds = {"tunnel": TUNNEL, "session": SESSION, **{type_: _link(type_) for type_ in LINK_TYPES}}
    forms = {kind: _form(fields) for kind, fields in kinds.items()}
    common = [name_of(field.word) for field in LINK]
    return (
        "// Made from the table of fields (l2tpv3/model/fields.py).\n"
        f"export const FORMS = {json.dumps(forms, ensure_ascii=False)};\n"
        f"export const LINK_TYPES = {json.dumps(_options(TYPE), ensure_ascii=False)};\n"
        f"export const OF_EVERY_LINK = {json.dumps(common)};\n"
    )


def _link(type_: str) -> list[Field]:
    """The words of a link of that type: what it is over, then what its type has, then what every link has."""
    own_netdev = options_type(LinkType(type_)).own_netdev
    over, *common = [field for field in LINK if own_netdev or field.word not in (*NO_NETDEV, "up")]
    return [over, *LINK_TYPES[type_], *common]


def _form(fields: Iterable[Field]) -> list[dict[str, Any]]:
    fields = list(fields)
    labels = {field.word: field.label for field in fields}
    return [_form_field(field, labels) for field in fields]


def _form_field(field: Field, labels: Mapping[str, str]) -> dict[str, Any]:
    """A field as l2tpv3_api/dashboard/dialog.js has it; what is left out is false or empty there."""
    kind = _KINDS.get(field.type, "select" if field.choices else "")
    made = {
        "name": name_of(field.word),
        "label": field.label,
        "kind": kind,
        "options": _options(field) if kind == "select" else None,
        "hint": _hint(field, labels),
        "placeholder": field.example or (str(field.default) if kind == "number" and field.default is not None else ""),
        "required": field.required,
        "list": field.many,
        "wide": (field.type == "text" and not field.choices) or field.word in ("address", "over"),
        "secret": field.secret,
        "rare": field.rare,
        "initial": field.default if kind == "switch" else None,
    }
    return {key: value for key, value in made.items() if value}


def _options(field: Field) -> list[list[str]]:
    """Each choice, with what the form calls it where that is another; the default is the first."""
    called = field.choice_text or {}
    others = [one for one in field.choices if one != field.default]
    first = [field.default] if field.default is not None else []
    options = [[one, called[one]] if one in called else [one] for one in (*first, *others)]
    return options if first or field.required else [["", "default"], *options]


def _hint(field: Field, labels: Mapping[str, str]) -> str:
    about = field.help.replace("; may be repeated", ", with spaces between").replace(", or @FILE", "")
    parts = [about[0].upper() + about[1:], field.details]
    if field.default_text:
        parts.append(f"Empty: {field.default_text}.")
    return re.sub(r"--([a-z-]+)", lambda found: f"“{labels.get(found[1], found[1])}”", " ".join(filter(None, parts)))
