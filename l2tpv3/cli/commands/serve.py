"""`l2tpctl serve`: the REST API and the dashboard of this host."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import click

from l2tpv3.cli import completion
from l2tpv3.cli.commands.tunnel import local_manager
from l2tpv3.cli.parameters import Option
from l2tpv3.errors import InvalidValueError, UnavailableError
from l2tpv3.optional_packages import install_command

EXAMPLES = {
    "serve": """
l2tpctl serve                                  # /run/l2tpv3/api.sock
l2tpctl serve --listen 8080                    # and http://127.0.0.1:8080, with a token
l2tpctl serve --listen [::]:8443 --tls-cert cert.pem --tls-key key.pem
l2tpctl serve --fleet /etc/l2tpv3-fleet/fleet.toml
l2tpctl serve --listen [::]:8443 --tls-cert cert.pem --tls-key key.pem --client-ca ca.pem --client noc=read,write
"""
}

_NEEDS = ("fastapi", "uvicorn")


def serve(
    ctx: click.Context,
    *,
    unix: Annotated[
        str | None,
        Option(
            "--unix",
            metavar="PATH|none",
            help="The unix socket. [default: /run/l2tpv3/api.sock]",
            complete=completion.choice("none"),
        ),
    ] = None,
    proxy_unix: Annotated[
        str | None,
        Option(
            "--proxy-unix",
            metavar="PATH",
            help="A unix socket for a reverse proxy: whoever asks there needs a token. [default: none]",
        ),
    ] = None,
    others: Annotated[
        str,
        Option(
            "--others",
            metavar="read|nothing",
            help="What local users may do who are not in the group l2tpv3.",
            complete=completion.choice("read", "nothing"),
        ),
    ] = "nothing",
    listen: Annotated[
        list[str] | None,
        Option("--listen", metavar="ADDR:PORT", help="Take TCP there. Repeatable. [default: none]"),
    ] = None,
    tls_cert: Annotated[
        str | None, Option("--tls-cert", metavar="FILE", help="The certificate with its chain, PEM.")
    ] = None,
    tls_key: Annotated[
        str | None, Option("--tls-key", metavar="FILE", help="Its key, PEM. [default: in the same file]")
    ] = None,
    client_ca: Annotated[
        str | None, Option("--client-ca", metavar="FILE", help="Who signs the certificates of clients, PEM.")
    ] = None,
    client: Annotated[
        list[str] | None,
        Option(
            "--client",
            metavar="NAME=SCOPE,...",
            help="What a client's certificate of this name may do: read, write, secrets. NAME * is any. Repeatable.",
        ),
    ] = None,
    host_name: Annotated[
        list[str] | None,
        Option(
            "--host-name",
            metavar="NAME",
            help="A name that the service goes by, over plain TCP or behind a proxy. Repeatable.",
        ),
    ] = None,
    insecure_plain_http: Annotated[
        bool, Option("--insecure-plain-http", help="Take plain TCP beyond loopback: tokens go in clear.")
    ] = False,
    fleet: Annotated[
        str | None,
        Option("--fleet", metavar="FILE", help="The file of a fleet, whose map the dashboard shows. [default: none]"),
    ] = None,
    limit: Annotated[
        list[str] | None,
        Option("--limit", metavar="NAME=NUMBER", help="Change a limit (docs/service.md). Repeatable."),
    ] = None,
    log_format: Annotated[
        str,
        Option(
            "--log-format",
            metavar="auto|journal|json|text",
            help="How to log to stderr, or to the journal.",
            complete=completion.choice("auto", "journal", "json", "text"),
        ),
    ] = "auto",
) -> None:
    """Serve the REST API and the dashboard, until ended.

    By the unix socket root may do everything, the group l2tpv3 may read and change. TCP needs a token (`l2tpctl token
    add`) or a client certificate, and TLS beyond loopback. No traffic depends on this: it can be stopped at any time.
    """
    manager = local_manager(ctx, "serve")
    _check_installed()
    from l2tpv3_api.auth.certificates import parse_client
    from l2tpv3_api.limits import Limits
    from l2tpv3_api.server.assemble import serve as run
    from l2tpv3_api.settings import Settings, parse_address

    socket = str(manager.paths.runtime / "api.sock") if unix is None else unix
    settings = Settings(
        unix=None if socket == "none" else Path(socket).absolute(),
        proxy_unix=_path(proxy_unix),
        listen=tuple(map(parse_address, listen or ())),
        tls_cert=_path(tls_cert),
        tls_key=_path(tls_key),
        client_ca=_path(client_ca),
        clients=dict(map(parse_client, client or ())),
        others_read=_choice("--others", others, ("read", "nothing")) == "read",
        host_names=frozenset(host_name or ()),
        insecure_plain_http=insecure_plain_http,
        fleet=_path(fleet),
        log_format=_choice("--log-format", log_format, ("auto", "journal", "json", "text")),
        limits=Limits().with_words(limit or ()),
    )
    run(manager, manager.paths, settings)
    if os.environ.get("NOTIFY_SOCKET") is None:
        print("l2tpctl: the service has ended", file=sys.stderr)


def _check_installed() -> None:
    missing = [name for name in _NEEDS if find_spec(name) is None]
    if missing:
        problem = f"{' and '.join(missing)} are not installed" if len(missing) > 1 else f"{missing[0]} is not installed"
        it = "them" if len(missing) > 1 else "it"
        raise UnavailableError("serve", problem, f"{install_command('api')} installs {it}")


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text).absolute()


def _choice(option: str, value: str, words: tuple[str, ...]) -> Any:
    if value not in words:
        raise InvalidValueError(option, f"{value!r} is none of {', '.join(words)}")
    if option == "--log-format":
        from l2tpv3_api.settings import LogFormat

        return LogFormat(value)
    return value


COMMANDS = {"serve": serve}
