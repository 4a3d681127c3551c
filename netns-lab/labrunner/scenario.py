"""A scenario: hosts, links and steps, inert. labrunner.load makes it from its folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from labrunner.errors import ScenarioError

_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*(?:\.[A-Za-z0-9]+)?)\}")


@dataclass(frozen=True)
class Host:
    """A network namespace. sysctl: name → value. ip: lines for `ip -b`, run in it once all links are there.

    serve: further words for its `l2tpctl serve`; serve_environment: variables for that. Both may name {run_dir}.
    """

    name: str
    sysctl: Mapping[str, str]
    ip: tuple[str, ...]
    serve: tuple[str, ...] = ()
    serve_environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class End:
    """One end of a link: a netdev of a host, with its addresses."""

    host: str
    netdev: str
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Link:
    """A cable between two hosts (a veth pair). mtu in bytes."""

    a: End
    b: End
    mtu: int


@dataclass(frozen=True)
class Transfer:
    """A TCP transfer from the step's host to `to` at `address` for `seconds`, every byte checked there."""

    to: str
    address: str
    seconds: float
    min_mbits: float


@dataclass(frozen=True)
class Capture:
    """What to capture: `netdev` of the step's host, into the run's NAME.pcap, until `packets` or the run's end."""

    name: str
    netdev: str
    packets: int


@dataclass(frozen=True)
class Decode:
    """Print a capture decoded: only frames whose inner protocol is in `only` (all when empty), at most `packets`.

    cookie_bytes, sublayer: as configured, since a packet does not tell.
    """

    name: str
    packets: int
    cookie_bytes: int
    sublayer: str
    only: tuple[str, ...]
    within_s: float


@dataclass(frozen=True)
class Outage:
    """Pings to `address` from the step's host, while `cut` is typed at host `at`, and the longest time without an
    answer, which is to be at most `most_s`.
    """

    address: str
    at: str
    cut: str
    most_s: float


@dataclass(frozen=True)
class Step:
    """One thing that a host does, and what is expected of it. One of run, background, tcp, outage, capture, decode.

    run: commands as typed. What is expected of the last one: `exit` status, `output` (regular expressions found
    in what it printed), `json` (path → expectation, see labrunner.expect), all of it within `within_s` seconds of
    tries. stdin: what that one, or background, reads. save: name → JSON path, for later `{name}`. relay_to: a host at
    which each line that it printed is then typed. show: how many lines of output to print (-1: all).
    """

    say: str
    on: str
    run: tuple[str, ...] = ()
    stdin: str = ""
    background: str = ""
    tcp: Transfer | None = None
    outage: Outage | None = None
    capture: Capture | None = None
    decode: Decode | None = None
    exit: int = 0
    output: tuple[str, ...] = ()
    json: Mapping[str, Any] = field(default_factory=dict)
    save: Mapping[str, str] = field(default_factory=dict)
    relay_to: str = ""
    within_s: float = 0.0
    timeout_s: float = 30.0
    show: int = -1


@dataclass(frozen=True)
class Scenario:
    """A whole scenario. picture: its topology for people. needs: see labrunner.needs.

    on_failure: steps that show what was the matter. while_serving: what goes on while dashboards are looked at.
    afterwards: what to tell when all was as expected.
    """

    name: str
    title: str
    picture: str
    needs: tuple[str, ...]
    values: Mapping[str, str]
    hosts: tuple[Host, ...]
    links: tuple[Link, ...]
    steps: tuple[Step, ...]
    on_failure: tuple[Step, ...]
    while_serving: tuple[Step, ...]
    afterwards: str


def fill(text: str, values: Mapping[str, str], where: str) -> str:
    """`text` with each {name} replaced by its value, repeatedly, since a value may name others."""
    for _ in range(5):
        names_in = _PLACEHOLDER.findall(text)
        if not names_in:
            return text
        for name in names_in:
            if name not in values:
                raise ScenarioError(f"{where}: {{{name}}} has no value")
        text = _PLACEHOLDER.sub(lambda match: values[match[1]], text)
    raise ScenarioError(f"{where}: values that name each other in a circle")
