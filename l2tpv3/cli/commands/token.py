"""`l2tpctl token`: who may use the service over TCP."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import click

from l2tpv3.cli import completion, options
from l2tpv3.cli.commands.tunnel import local_manager, print_json
from l2tpv3.cli.output.streams import OutputError
from l2tpv3.cli.output.table import table
from l2tpv3.cli.parameters import Argument, Option
from l2tpv3.errors import InvalidValueError

if TYPE_CHECKING:
    from l2tpv3_api.auth.tokens import Token, Tokens

EXAMPLES = {
    "group": "l2tpctl token add laptop --scope write --expires 90d\nl2tpctl token ls\nl2tpctl token del laptop",
    "add": "l2tpctl token add laptop\nl2tpctl token add ansible --scope write --expires 90d\n"
    "l2tpctl token add backup --scope read,secrets --expires 2030-01-01",
    "show": "l2tpctl token show\nl2tpctl token show --json",
    "del": "l2tpctl token del laptop",
}

_UNITS: Final = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def add(
    ctx: click.Context,
    name: Annotated[str, Argument(metavar="NAME", help="A name for the token, of your choice.")],
    *,
    scope: Annotated[
        list[str] | None,
        Option(
            "--scope",
            metavar="read|write|secrets",
            help="What it may do; `secrets` is to read cookies and what passes. Commas, or repeated. [default: read]",
            complete=completion.choice("read", "write", "secrets"),
        ),
    ] = None,
    expires: Annotated[
        str | None,
        Option("--expires", metavar="TIME", help="When it ends: 30m, 12h, 90d, 52w or a date. [default: never]"),
    ] = None,
) -> None:
    """Make a token and print it: on stdout, once; what is kept is only its hash.

    Whoever has it may do what its scopes say, over TCP or the unix socket: `Authorization: Bearer TOKEN`.
    """
    from l2tpv3_api.auth.identity import scopes

    words = [word for text in scope or () for word in text.split(",")]
    ends = None if expires is None else _moment(expires)
    tokens = _tokens(ctx, "token add")
    token, text = tokens.add(name, scopes(words), ends)
    try:
        print(text, flush=True)
    except (OSError, OutputError):
        tokens.remove(name)  # nobody has it, nor ever will
        raise
    until = f"until {token.expires:%Y-%m-%d %H:%M} UTC" if token.expires else "until `l2tpctl token rm` revokes it"
    print(f"token {name}: {', '.join(sorted(token.scopes))}, {until}; it is not shown again", file=sys.stderr)


def show(ctx: click.Context, *, json: options.Json = False) -> None:
    """List tokens: what they may do, and when they were made, last used and end. Not the tokens themselves."""
    found = _tokens(ctx, "token show").all()
    if json:
        from l2tpv3.documents.schemas import TOKENS_SCHEMA

        print_json({"schema": TOKENS_SCHEMA, "tokens": [_document(token) for token in found]})
    elif found:
        print(table(("NAME", "SCOPES", "CREATED", "USED", "EXPIRES", "ID"), map(_row, found)), end="")
    else:
        print("no tokens; `l2tpctl token add NAME` makes one", file=sys.stderr)


def del_(
    ctx: click.Context,
    names: Annotated[
        list[str],
        Argument(metavar="NAME...", help="The tokens' names, or their ids.", complete=completion.tokens),
    ],
) -> None:
    """Revoke tokens: at once, open streams included."""
    tokens = _tokens(ctx, "token del")
    for name in dict.fromkeys(names):
        tokens.remove(name)


def _tokens(ctx: click.Context, command: str) -> Tokens:
    from l2tpv3_api.auth.tokens import Tokens

    return Tokens(local_manager(ctx, command).paths.state)


def _moment(text: str) -> datetime:
    """A time span from now, or a date, which begins at 0:00 UTC; in the future."""
    now = datetime.now(UTC).replace(microsecond=0)
    try:
        if text[-1:] in _UNITS and text[:-1].isdigit():
            moment = now + timedelta(seconds=int(text[:-1]) * _UNITS[text[-1]])
        else:
            moment = datetime.fromisoformat(text)
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidValueError("--expires", f"{text!r} is not a time", "give 12h, 90d or 2030-01-01") from error
    if moment <= now:
        raise InvalidValueError("--expires", f"{text} is not in the future", "give 12h, 90d or 2030-01-01")
    return moment


def _row(token: Token) -> tuple[str, ...]:
    ended = token.expired(datetime.now(UTC))
    expires = f"{_date(token.expires)} (expired)" if ended else _date(token.expires)
    return (token.name, ",".join(sorted(token.scopes)), _date(token.created), _date(token.used), expires, token.id)


def _date(moment: datetime | None) -> str:
    return "never" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def _document(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "scopes": sorted(token.scopes),
        "created": token.created.isoformat(),
        "used": token.used and token.used.isoformat(),
        "expires": token.expires and token.expires.isoformat(),
        "expired": token.expired(datetime.now(UTC)),
    }


COMMANDS = {"add": add, "show": show, "del": del_}
