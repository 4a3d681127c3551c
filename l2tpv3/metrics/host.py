"""Prometheus metrics of a host's status: the text format 0.0.4, and OpenMetrics 1.0.0.

Written here, as prometheus_client takes many times as long (bench/metrics). A session has the labels `tunnel` and
`session` and no others, but for one series with what seldom changes (`_info`), to be joined with `group_left`.
docs/metrics.md lists them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from l2tpv3.model.fields import LINK, SESSION, TUNNEL, WORKERS, Field
from l2tpv3.model.links.status import LinkStatus
from l2tpv3.model.probe import ProbeState
from l2tpv3.model.spec import Encap
from l2tpv3.model.status import Condition, SessionStatus, TunnelStatus
from l2tpv3.printable import printable_lines
from l2tpv3.value_class import value_class

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
"""Media types of the two formats."""

SESSION_COUNTERS: Final = {
    "tx_packets": "Frames sent.",
    "tx_bytes": "Bytes of frames sent.",
    "tx_errors": "Frames that could not be sent.",
    "rx_packets": "Frames received.",
    "rx_bytes": "Bytes of frames received.",
    "rx_errors": "Frames that could not be delivered: too short, over the MTU, expired while waiting for their turn.",
    "rx_seq_discards": "Packets dropped for their sequence number, or for having none.",
    "rx_oos_packets": "Packets that came out of order.",
    "rx_cookie_discards": "Packets with a wrong cookie: someone guesses, or both ends disagree.",
    "rx_invalid": "Packets that were not of this session's shape.",
    "tx_fragments": "Packets sent with a part of a frame.",
    "rx_fragments": "Packets received with a part of a frame.",
    "rx_reassembled": "Frames put together from several packets.",
    "rx_incomplete": "Frames lost because a part of them was missing.",
    "rx_too_long": "Frames dropped because their parts made them longer than the MTU allows.",
}
TUNNEL_COUNTERS: Final = {
    "rx_unknown_session": "Packets for a session that is not there.",
    "rx_control": "Control packets, which a static tunnel has no use for.",
    "rx_invalid": "Packets too short, or of another version than 3.",
    "tx_too_long": "Packets not sent, too long for the first netdev.",
}
LINK_COUNTERS: Final = {
    "rx_packets": "Frames that the link's netdev received.",
    "rx_bytes": "Bytes of frames that it received.",
    "rx_errors": "Frames that it received broken.",
    "rx_dropped": "Frames that it received and dropped.",
    "multicast": "Frames to groups that it received.",
    "tx_packets": "Frames that it sent.",
    "tx_bytes": "Bytes of frames that it sent.",
    "tx_errors": "Frames that it could not send.",
    "tx_dropped": "Frames that it dropped instead of sending them.",
}


@value_class(frozen=True, slots=True)
class Family:
    """Metrics of one name. kind: counter, gauge, info or histogram. name: without _total and _info.

    lines: what follows the name, suffix and all: `_total{tunnel="a"} 3`.
    """

    name: str
    kind: str
    help: str
    lines: Sequence[str]


def exposition(families: Iterable[Family], *, openmetrics: bool = False) -> str:
    """The text of all of them."""
    parts: list[str] = []
    for family in families:
        name, kind = family.name, family.kind
        if not openmetrics:
            name += {"counter": "_total", "info": "_info"}.get(kind, "")
            kind = "gauge" if kind == "info" else kind
        parts.append(f"# HELP {name} {family.help}\n# TYPE {name} {kind}\n")
        if family.lines:
            parts.append(f"{family.name}" + f"\n{family.name}".join(family.lines) + "\n")
    if openmetrics:
        parts.append("# EOF\n")
    return "".join(parts)


def labels(**values: object) -> str:
    """A list of labels in braces; those that are None are left out."""
    return "{" + ",".join(f'{name}="{_text(value)}"' for name, value in values.items() if value is not None) + "}"


def _text(value: object) -> str:
    return printable_lines(str(value)).replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def families(tunnels: Sequence[TunnelStatus], version: str = "", *, links: Sequence[LinkStatus] = ()) -> list[Family]:
    """All about tunnels, sessions and links. version: l2tpv3's, where it is known."""
    build = Family("l2tpv3_build", "info", "The version of l2tpv3.", [f"_info{labels(version=version)} 1"])
    return [build, *_tunnels(tunnels), *_encryption(tunnels), *_sessions(tunnels), *_links(links)]


def _tunnels(tunnels: Sequence[TunnelStatus]) -> list[Family]:
    named = [(labels(tunnel=tunnel.name), tunnel) for tunnel in tunnels]
    metrics = [
        Family("l2tpv3_tunnel", "info", "What is known of a tunnel.", [_tunnel_info(tunnel) for tunnel in tunnels]),
        Family(
            "l2tpv3_tunnel_up", "gauge", "Whether the tunnel runs: 1, or 0.",
            [f"{name} {int(tunnel.condition is Condition.UP)}" for name, tunnel in named],
        ),
        Family(
            "l2tpv3_tunnel_condition", "gauge", "1 for the condition that the tunnel is in, which is a label.",
            [f"{labels(tunnel=tunnel.name, condition=tunnel.condition)} 1" for tunnel in tunnels],
        ),
        Family(
            "l2tpv3_tunnel_sessions", "gauge", "How many sessions the tunnel has.",
            [f"{name} {len(tunnel.sessions)}" for name, tunnel in named],
        ),
        Family(
            "l2tpv3_tunnel_worker_up", "gauge", "Whether the worker of a user or ebpf tunnel is there: 1, or 0.",
            [f"{name} {int(tunnel.worker_pid is not None)}" for name, tunnel in named if _has_worker(tunnel)],
        ),
    ]  # fmt: skip
    for field, help in TUNNEL_COUNTERS.items():
        values = [(name, getattr(tunnel.counters, field)) for name, tunnel in named]
        lines = [f"_total{name} {value}" for name, value in values if value is not None]
        metrics.append(Family(f"l2tpv3_tunnel_{field}", "counter", help, lines))
    return metrics


def _encryption(tunnels: Sequence[TunnelStatus]) -> list[Family]:
    """What encrypts those tunnels that are encrypted."""
    named = [
        (tunnel.name, labels(tunnel=tunnel.name), tunnel.encryption)
        for tunnel in tunnels
        if tunnel.encryption is not None
    ]

    def series(suffix: str, values: Iterable[tuple[str, int | None]]) -> list[str]:
        return [f"{suffix}{name} {value}" for name, value in values if value is not None]

    return [
        Family(
            "l2tpv3_tunnel_encryption", "info", "Who encrypts the tunnel, on which netdev, and where the peer is now.",
            [
                f"_info{labels(tunnel=tunnel, by=state.by, ifname=state.ifname, endpoint=state.endpoint)} 1"
                for tunnel, _, state in named
            ],
        ),
        Family(
            "l2tpv3_tunnel_encryption_up", "gauge", "Whether all that encrypts the tunnel is there, and does: 1, or 0.",
            [f"{name} {int(not state.lacks and state.by is not None)}" for _, name, state in named],
        ),
        Family(
            "l2tpv3_tunnel_encryption_since_timestamp_seconds", "gauge", "When its netdev, or oldest SA, was made.",
            series("", [(name, state.since) for _, name, state in named]),
        ),
        Family(
            "l2tpv3_tunnel_encryption_handshake_timestamp_seconds", "gauge", "When keys were last agreed on.",
            series("", [(name, state.handshake) for _, name, state in named]),
        ),
        Family(
            "l2tpv3_tunnel_encryption_rx_bytes", "counter", "Encrypted bytes received.",
            series("_total", [(name, state.rx_bytes) for _, name, state in named]),
        ),
        Family(
            "l2tpv3_tunnel_encryption_tx_bytes", "counter", "Encrypted bytes sent.",
            series("_total", [(name, state.tx_bytes) for _, name, state in named]),
        ),
    ]  # fmt: skip


def _has_worker(tunnel: TunnelStatus) -> bool:
    return tunnel.datapath in WORKERS or tunnel.worker_pid is not None


def _tunnel_info(tunnel: TunnelStatus) -> str:
    spec = tunnel.spec
    udp = spec.encap is Encap.UDP
    said = labels(
        tunnel=tunnel.name,
        datapath=tunnel.datapath,
        encap=spec.encap,
        local=tunnel.local or spec.local,
        remote=spec.remote,
        local_port=spec.local_port if udp else None,
        remote_port=spec.remote_port if udp else None,
        id=spec.tunnel_id,
        peer_id=spec.peer_tunnel_id,
        netns=spec.netns,
        foreign="true" if tunnel.foreign else "false",
        **_more_labels(TUNNEL, spec, _TOLD_OF_TUNNELS),
    )
    return f"_info{said} 1"


_TOLD_OF_TUNNELS = frozenset(
    {"remote", "local", "encap", "id", "peer-id", "local-port", "remote-port", "datapath", "netns"}
)
_TOLD_OF_SESSIONS = frozenset({"ifname", "id", "peer-id", "netns"})
_TOLD_OF_LINKS = frozenset({"ifname", "netns"})
"""Words whose labels tell what is seen rather than what is wanted."""


def _more_labels(fields: Iterable[Field], spec: object, told: Collection[str]) -> dict[str, object]:
    """The labels that the table of fields says an info metric has beside those that are told."""
    more = (field for field in fields if field.info and field.word not in told)
    return {field.word.replace("-", "_"): getattr(spec, field.attribute) for field in more}


_MORE_OF_SESSIONS = [field for field in SESSION if field.info and field.word not in _TOLD_OF_SESSIONS]


def _sessions(tunnels: Sequence[TunnelStatus]) -> list[Family]:
    named: list[tuple[str, SessionStatus]] = []
    infos, conditions = [], []
    for tunnel in tunnels:
        head = f'{{tunnel="{_text(tunnel.name)}",session="'
        for session in tunnel.sessions:
            open_ = f'{head}{_text(session.name)}"'
            named.append((f"{open_}}}", session))
            infos.append(f"_info{open_},{_session_info(session)}}} 1")
            conditions.append(f'{open_},condition="{session.condition}"}} 1')
    metrics = [
        Family("l2tpv3_session", "info", "What is known of a session.", infos),
        Family(
            "l2tpv3_session_up", "gauge", "Whether the session runs and its netdev is set up: 1, or 0.",
            [f"{name} {int(session.condition is Condition.UP)}" for name, session in named],
        ),
        Family(
            "l2tpv3_session_wanted_up", "gauge", "Whether the session's netdev is to be set up: 1, or 0.",
            [f"{name} {int(session.spec.up)}" for name, session in named if not session.foreign],
        ),
        Family(
            "l2tpv3_session_condition", "gauge", "1 for the condition that the session is in, which is a label.",
            conditions,
        ),
        *_hearing(named),
        Family(
            "l2tpv3_session_mtu_bytes", "gauge", "The netdev's MTU.",
            [f"{name} {session.netdev.mtu}" for name, session in named if session.netdev is not None],
        ),
    ]  # fmt: skip
    for field, help in SESSION_COUNTERS.items():
        lines = [f"_total{name} {getattr(session.counters, field)}" for name, session in named]
        metrics.append(Family(f"l2tpv3_session_{field}", "counter", help, lines))
    return metrics


def _hearing(named: Sequence[tuple[str, SessionStatus]]) -> list[Family]:
    """Whether sessions hear their far end. named: sessions with their labels."""
    probed = [(name, session.probing) for name, session in named if session.probing is not None]
    return [
        Family(
            "l2tpv3_session_hearing", "gauge", "1 for whether the far end is heard, which is a label.",
            [f'{name[:-1]},hearing="{session.hearing}"}} 1' for name, session in named if session.hearing is not None],
        ),
        Family(
            "l2tpv3_session_last_received_seconds", "gauge", "How long ago the last good packet came.",
            [f"{name} {session.last_received_s:g}" for name, session in named if session.last_received_s is not None],
        ),
        Family(
            "l2tpv3_session_probe_alive", "gauge", "Whether the session's probes are answered: 1, or 0.",
            [f"{name} {int(session.state is ProbeState.ALIVE)}" for name, session in probed],
        ),
        Family(
            "l2tpv3_session_probe_round_trip_seconds", "gauge", "How long the last answer to a probe took.",
            [f"{name} {session.round_trip_s:g}" for name, session in probed if session.round_trip_s is not None],
        ),
    ]  # fmt: skip


def _session_info(session: SessionStatus) -> str:
    spec, netdev = session.spec, session.netdev
    ifname, netns = (netdev.ifname, netdev.netns) if netdev is not None else (spec.ifname, spec.netns)
    text = f'ifname="{_text(ifname)}",id="{spec.session_id}",peer_id="{spec.peer_session_id}"'
    if netns is not None:
        text += f',netns="{_text(netns)}"'
    for field in _MORE_OF_SESSIONS:
        if (value := getattr(spec, field.attribute)) is not None:
            text += f',{field.word.replace("-", "_")}="{_text(value)}"'
    return text


def _links(links: Sequence[LinkStatus]) -> list[Family]:
    named = [(labels(link=link.name), link) for link in links]
    metrics = [
        Family("l2tpv3_link", "info", "What is known of a link.", list(map(_link_info, links))),
        Family(
            "l2tpv3_link_up", "gauge", "Whether the link is there and its netdev is set up: 1, or 0.",
            [f"{name} {int(link.condition is Condition.UP)}" for name, link in named],
        ),
        Family(
            "l2tpv3_link_wanted_up", "gauge", "Whether the link's netdev is to be set up: 1, or 0.",
            [f"{name} {int(link.spec.up)}" for name, link in named],
        ),
        Family(
            "l2tpv3_link_condition", "gauge", "1 for the condition that the link is in, which is a label.",
            [f"{labels(link=link.name, condition=link.condition)} 1" for link in links],
        ),
        Family(
            "l2tpv3_link_carrier", "gauge", "Whether the link's netdev has a carrier: 1, or 0.",
            [f"{name} {int(link.netdev.carrier)}" for name, link in named if link.netdev is not None],
        ),
        Family(
            "l2tpv3_link_members", "gauge", "Over how many netdevs the link is now.",
            [f"{name} {len(link.over)}" for name, link in named],
        ),
        Family(
            "l2tpv3_link_mtu_bytes", "gauge", "The MTU of the link's netdev.",
            [f"{name} {link.netdev.mtu}" for name, link in named if link.netdev is not None],
        ),
        Family(
            "l2tpv3_link_worker_up", "gauge", "Whether a worker relays the virtual card: 1, or 0.",
            [f"{name} {int(link.worker_pid is not None)}" for name, link in named if link.spec.options.relayed],
        ),
    ]  # fmt: skip
    for field, help in LINK_COUNTERS.items():
        lines = [f"_total{name} {link.counters[field]}" for name, link in named if field in link.counters]
        metrics.append(Family(f"l2tpv3_link_{field}", "counter", help, lines))
    return metrics


def _link_info(link: LinkStatus) -> str:
    ifname, netns = link.spec.ifname or None, link.spec.netns
    if link.netdev is not None:
        ifname, netns = link.netdev.ifname, link.netdev.netns
    said = labels(
        link=link.name,
        type=link.spec.type,
        ifname=ifname,
        over=",".join(link.over) or None,
        netns=netns,
        **_more_labels(LINK, link.spec, _TOLD_OF_LINKS),
    )
    return f"_info{said} 1"
