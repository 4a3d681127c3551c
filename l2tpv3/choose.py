"""What the user left open: lowest free ids, free netdev names, random cookies, a datapath."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

from l2tpv3 import ids
from l2tpv3.datapath.base import Datapath
from l2tpv3.errors import (
    ConflictError,
    ExistsError,
    InvalidValueError,
    L2tpError,
    NotPermittedError,
    UnavailableError,
)
from l2tpv3.netns import same_netns
from l2tpv3.spec import Encap, SessionSpec, TunnelSpec, session_fields, tunnel_fields
from l2tpv3.state import Tunnel
from l2tpv3.store import TunnelRecord

AUTO_ORDER = ("kernel", "user")
"""What `--datapath auto` tries, the better first."""

_CAP_NET_ADMIN = 12  # linux/capability.h


def choose_datapath(spec: TunnelSpec, datapaths: Mapping[str, Datapath]) -> tuple[Datapath, str]:
    """The datapath for a tunnel, and one line that says why that one.

    Raises UnavailableError when the one asked for, or every one, does not work here.
    """
    subject = f"tunnel {spec.name}"
    if spec.datapath != "auto":
        if spec.datapath not in datapaths:
            known = ", ".join(("auto", *datapaths))
            raise InvalidValueError(f"{subject}: --datapath", f"{spec.datapath!r} is unknown", f"give one of {known}")
        support = datapaths[spec.datapath].probe()
        if not support.works:
            problem = f"the {spec.datapath} datapath does not work here: {support.reason}"
            raise _does_not_work(subject, problem, "use --datapath auto")
        return datapaths[spec.datapath], "as asked"
    reasons: list[str] = []
    for name in (name for name in (*AUTO_ORDER, *datapaths) if name in datapaths):
        if name == "kernel" and isinstance(spec.remote, IPv6Address) and spec.remote.scope_id:
            reasons.append("the kernel's API has no place for a link-local address's netdev")
            continue
        support = datapaths[name].probe()
        if support.works:
            return datapaths[name], "; ".join(reasons) or support.reason
        reasons.append(f"no {name} datapath: {support.reason}")
    raise _does_not_work(subject, "; ".join(reasons) or "no datapath", "")


def _does_not_work(subject: str, problem: str, remedy: str) -> L2tpError:
    """Why no datapath works: for want of privilege, when the caller could not make a netdev with any of them."""
    capabilities = re.search(r"^CapEff:\s*([0-9a-f]+)", Path("/proc/self/status").read_text(), re.MULTILINE)
    if capabilities and not int(capabilities[1], 16) >> _CAP_NET_ADMIN & 1:
        return NotPermittedError(subject, problem, "run as root, or with CAP_NET_ADMIN")
    return UnavailableError(subject, problem, remedy)


def new_tunnel(
    name: str, words: Mapping[str, Any], records: Mapping[str, TunnelRecord], seen: Iterable[Tunnel]
) -> TunnelSpec:
    """A TunnelSpec from the words given: `id` the lowest free one, `peer-id` the same as `id`.

    seen: what datapaths report in that namespace. Raises ExistsError, ConflictError, InvalidValueError.
    """
    fields = {"name": name, **tunnel_fields(words)}
    netns = fields.get("netns")
    neighbours = [record for record in records.values() if same_netns(record.spec.netns, netns)]
    taken = {record.spec.tunnel_id: f"tunnel {record.spec.name}" for record in neighbours}
    taken.update(
        {tunnel.tunnel_id: "a tunnel that something else made" for tunnel in seen if tunnel.tunnel_id not in taken}
    )
    if "tunnel_id" not in fields:
        fields["tunnel_id"] = ids.lowest_free(taken, f"tunnel {name}: --id")
    elif fields["tunnel_id"] in taken:
        number = fields["tunnel_id"]
        raise ExistsError(f"tunnel {name}: --id", f"{number} is the id of {taken[number]}", "give another one")
    fields.setdefault("peer_tunnel_id", fields["tunnel_id"])
    return TunnelSpec(**fields)


def check_clash(spec: TunnelSpec, records: Mapping[str, TunnelRecord]) -> None:
    """That no other tunnel on record has the same addresses and ports. spec: with `local` set. Raises ConflictError."""
    if spec.encap is not Encap.UDP:
        return
    for record in records.values():
        other = record.spec
        if (
            other.name != spec.name
            and other.encap is Encap.UDP
            and (record.local, other.local_port) == (spec.local, spec.local_port)
            and (other.remote, other.remote_port) == (spec.remote, spec.remote_port)
            and same_netns(other.netns, spec.netns)
        ):
            raise ConflictError(
                f"tunnel {spec.name}",
                f"tunnel {other.name} already joins {spec.local} port {spec.local_port} to {spec.remote} port"
                f" {spec.remote_port}",
                "give other ports, or add the session to that tunnel",
            )


def new_session(
    name: str,
    words: Mapping[str, Any],
    record: TunnelRecord,
    records: Mapping[str, TunnelRecord],
    ifnames: Iterable[str],
) -> SessionSpec:
    """A SessionSpec from the words given: lowest free id, the same peer id, l2tpethN, random 64-bit cookies.

    ifnames: the netdevs that are in the way. Raises ExistsError, InvalidValueError.
    """
    fields = {"name": name, **session_fields(words)}
    taken = taken_session_ids(record, records)
    if "session_id" not in fields:
        fields["session_id"] = ids.lowest_free(taken, f"session {name}: --id")
    elif fields["session_id"] in taken:
        number = fields["session_id"]
        raise ExistsError(f"session {name}: --id", f"{number} is the id of session {taken[number]}", "give another one")
    fields.setdefault("peer_session_id", fields["session_id"])
    if fields.get("ifname") is None:
        on_record = (session.spec.ifname for other in records.values() for session in other.sessions)
        fields["ifname"] = ids.free_ifname([*ifnames, *on_record])
    for cookie in ("tx_cookie", "rx_cookie"):
        if cookie not in fields:
            fields[cookie] = ids.generate_cookie()
    return SessionSpec(**fields)


def taken_session_ids(record: TunnelRecord, records: Mapping[str, TunnelRecord]) -> dict[int, str]:
    """Session ids that a new session of this tunnel can't have, and whose they are.

    Over UDP an id is a tunnel's own; over IP it is the whole network namespace's, since nothing else in the
    packet tells sessions apart (RFC 3931 section 4.1.1.1; net/l2tp/l2tp_core.c l2tp_session_register).
    """
    taken: dict[int, str] = {}
    for other in records.values():
        same_tunnel = other.spec.name == record.spec.name
        over_ip = Encap.IP in (other.spec.encap, record.spec.encap)
        if same_tunnel or (over_ip and same_netns(other.spec.netns, record.spec.netns)):
            for session in other.sessions:
                taken[session.spec.session_id] = f"{other.spec.name}/{session.spec.name}"
    return taken
