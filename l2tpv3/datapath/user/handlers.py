"""Carries out a worker's requests about tunnels and sessions: makes, changes, reports and removes them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from l2tpv3.datapath.user.circuit_status import CircuitConfig, CircuitStatusSenders
from l2tpv3.datapath.user.control_channel import ControlChannels
from l2tpv3.datapath.user.failover import Failovers
from l2tpv3.datapath.user.feedback import OwnPackets
from l2tpv3.datapath.user.forwarding.receiver import TunnelReceiver
from l2tpv3.datapath.user.forwarding.session import WorkerSession
from l2tpv3.datapath.user.forwarding.tap_port import TapPort
from l2tpv3.datapath.user.forwarding.vlan_session import VlanSession
from l2tpv3.datapath.user.offloads import Offloads
from l2tpv3.datapath.user.settings import SessionSettings, TunnelSettings
from l2tpv3.model.hearing import ReceptionTracker
from l2tpv3.model.probe import ProbeReport, ProbeState
from l2tpv3.worker.loop import Loop
from l2tpv3.worker.messages import FDS_MAX
from l2tpv3.worker.requests import Answer, Fields, Operation, Refused

_LAST_ROUNDS: Final = 16
"""How often what waits at a socket is taken before it is closed; each time takes many packets."""
_LOOK_S: Final = 1.0
"""How often it is seen which sessions have received something: so exact are the times, at no cost to any packet."""


class WorkerTunnel:
    """A tunnel, its socket, and its own sessions by their id."""

    __slots__ = ("carrier", "sessions", "settings")

    def __init__(self, settings: TunnelSettings, carrier: TunnelReceiver) -> None:
        self.settings = settings
        self.carrier = carrier
        self.sessions: dict[int, WorkerSession] = {}


class Tunnels:
    """The tunnels that one worker carries. on_empty: called when the last is gone; says whether the worker ends."""

    def __init__(self, loop: Loop, on_empty: Callable[[], bool]) -> None:
        self._loop = loop
        self._on_empty = on_empty
        self._tunnels: dict[tuple[tuple[int, int], int], WorkerTunnel] = {}
        self.operations: dict[str, Operation] = {
            "report": self._report,
            "summary": self._summary,
            "find_session": self._find_session,
            "add_tunnel": self._add_tunnel,
            "set_tunnel": self._set_tunnel,
            "add_session": self._add_session,
            "set_session": self._set_session,
            "del_session": self._del_session,
            "del_sessions": self._del_sessions,
            "del_tunnel": self._del_tunnel,
            "circuits": self._keep_circuits,
        }
        self._circuits = CircuitStatusSenders(loop)
        self._channels = ControlChannels(loop, self._probed)
        self._failovers = Failovers(loop, self._state, self._show)
        self._looking = False
        self._has_backups = False

    @property
    def empty(self) -> bool:
        """Whether there is no tunnel."""
        return not self._tunnels

    def _tunnel(self, message: Fields) -> WorkerTunnel:
        device, inode = message["netns"]
        tunnel = self._tunnels.get(((device, inode), message["tunnel_id"]))
        if tunnel is None:
            raise Refused("not-found", f"no tunnel with id {message['tunnel_id']}")
        return tunnel

    def _session(self, message: Fields) -> tuple[WorkerTunnel, WorkerSession]:
        tunnel = self._tunnel(message)
        session = tunnel.sessions.get(message["session_id"])
        if session is None:
            raise Refused("not-found", f"no session with id {message['session_id']}")
        return tunnel, session

    def _add_tunnel(self, message: Fields, fds: list[int]) -> Answer:
        """Add a tunnel, with its socket.

        Without one it shares the socket of a tunnel between the same addresses (over IP).
        """
        settings = TunnelSettings.from_json(message["tunnel"])
        key = (settings.netns, settings.tunnel_id)
        if key in self._tunnels:
            raise Refused("exists", f"tunnel id {settings.tunnel_id} is taken")
        carrier = self._carrier(message, settings, fds)
        carrier.users += 1
        self._tunnels[key] = WorkerTunnel(settings, carrier)
        return {}, []

    def _carrier(self, message: Fields, settings: TunnelSettings, fds: list[int]) -> TunnelReceiver:
        """The socket of a tunnel with these settings: one that is shared, else the one that came along."""
        carrier = self._carrier_to_share(settings)
        if carrier is None:
            if len(fds) != 1:
                raise ValueError("a tunnel comes with one socket")
            offloads = Offloads(*message["offloads"])
            carrier = TunnelReceiver(
                settings.encap, fds[0], offloads, ipv4=":" not in settings.local, dscp=settings.dscp,
                df=settings.df,
            )  # fmt: skip
            fds.clear()
            self._loop.watch(carrier.fd, carrier.receive_packets, lone=carrier.receive_packet)
        return carrier

    def _set_tunnel(self, message: Fields, fds: list[int]) -> Answer:
        """Other settings, with another socket where it depends on what changes; netdevs and sessions stay."""
        tunnel = self._tunnel(message)
        settings = TunnelSettings.from_json(message["tunnel"])
        if (settings.netns, settings.tunnel_id) != (tunnel.settings.netns, tunnel.settings.tunnel_id):
            raise Refused("refused", "a tunnel's id and network namespace can't change")
        if settings.socket != tunnel.settings.socket or _bound_device(tunnel) != settings.bind_device:
            carrier = self._carrier(message, settings, fds)
            taken = carrier.sessions.keys() & tunnel.sessions.keys()
            if taken:  # over IP only: of a socket that is another tunnel's too
                raise Refused("exists", f"session id {min(taken)} is taken")
            self._move(tunnel, settings.encap, carrier)
        is_same_far_end = settings.far_end == tunnel.settings.far_end
        tunnel.settings = settings
        for session in tunnel.sessions.values():
            if not is_same_far_end:
                _hear_anew(session)
                self._channels.begin_anew(session)
            session.own_packets = OwnPackets(settings)
            self._circuits.move(session, tunnel.carrier, settings.encap, settings.peer_tunnel_id)
        self._link()
        return {}, []

    def _move(self, tunnel: WorkerTunnel, encap: str, carrier: TunnelReceiver) -> None:
        """Have a tunnel's sessions reached through another socket."""
        old = tunnel.carrier
        for _ in range(_LAST_ROUNDS):  # what has come by the old one
            old.receive_packets(0)
        for number, session in tunnel.sessions.items():
            session.move(encap, carrier.outlet)
            carrier.sessions[number] = session
            del old.sessions[number]
        carrier.users += 1
        tunnel.carrier = carrier
        if old.users == 1:
            carrier.take_counts(old)
        self._leave(old)

    def _leave(self, carrier: TunnelReceiver) -> None:
        """A tunnel uses a socket no more."""
        carrier.users -= 1
        if not carrier.users:
            self._loop.forget(carrier.fd)
            carrier.close()

    def _carrier_to_share(self, settings: TunnelSettings) -> TunnelReceiver | None:
        if settings.encap == "ip":
            for tunnel in self._tunnels.values():
                same = tunnel.settings.encap == "ip" and tunnel.settings.same_path == settings.same_path
                if same and _bound_device(tunnel) == settings.bind_device:
                    return tunnel.carrier
        return None

    def _add_session(self, message: Fields, fds: list[int]) -> Answer:
        """Add a session, with the open file of its netdev."""
        tunnel = self._tunnel(message)
        settings = SessionSettings.from_json(message["session"])
        if settings.session_id in tunnel.carrier.sessions:
            raise Refused("exists", f"session id {settings.session_id} is taken")
        if len(fds) != 1:
            raise ValueError("a session comes with one file")
        port = TapPort(fds[0])
        session = kind_of(settings)(settings, tunnel.settings.encap, port, tunnel.carrier.outlet, self._loop.at)
        session.own_packets = OwnPackets(tunnel.settings)
        session.on_gone = lambda: self._gone(session)
        self._loop.watch(port.fd, session.send_frames, lone=session.send_frame)
        try:
            port.persist()
        except OSError:
            self._loop.forget(port.fd)
            raise
        fds.clear()
        tunnel.sessions[settings.session_id] = tunnel.carrier.sessions[settings.session_id] = session
        self._channels.keep(session)
        self._has_backups |= bool(settings.backup)
        self._link()
        self._look_again()
        return {}, []

    def _probed(self, session: WorkerSession, state: ProbeState) -> None:
        """What the probes of a session say has changed."""
        self._failovers.look(session)
        self._show(session)

    def _state(self, session: WorkerSession) -> ProbeState:
        """What the probes of a session say."""
        report = self._channels.report(session)
        return ProbeState.STARTING if report is None else report.state

    def _link(self) -> None:
        """Have sessions that are here serve as backups of others that are here."""
        if self._has_backups:
            self._failovers.link(
                {
                    f"{tunnel.settings.name}/{session.settings.name}": session
                    for tunnel in self._tunnels.values()
                    for session in tunnel.sessions.values()
                }
            )

    def _gone(self, session: WorkerSession) -> None:
        """The netdev of a session has vanished under it."""
        self._failovers.drop(session)
        self._loop.forget(session.port.fd)

    def _show(self, session: WorkerSession) -> None:
        """Have the session's netdev show whether the other end is there, where it is to."""
        dead = session.settings.carrier and self._state(session) is ProbeState.DEAD
        dead = dead and not self._failovers.is_carried(session)
        if not session.gone:
            session.set_carrier("probe", up=not dead)

    def close(self) -> None:
        """This process is about to end; what it carries goes on in another, or not."""
        self._channels.close()

    def _look_again(self) -> None:
        if not self._looking:
            self._looking = True
            self._loop.at(time.monotonic() + _LOOK_S, self._look)

    def _look(self, now: float) -> None:
        """Take note of when each session received something."""
        self._looking = False
        for tunnel in self._tunnels.values():
            for session in tunnel.sessions.values():
                session.reception.look(_received(session), session.tx_packets, now)
                self._look_again()

    def _set_session(self, message: Fields, fds: list[int]) -> Answer:
        settings = SessionSettings.from_json(message["session"])
        _, session = self._session({**message, "session_id": settings.session_id})
        if bool(settings.vlan) != bool(session.settings.vlan):
            raise Refused("refused", "its pseudowire type can't change")
        if settings.rx_cookie != session.settings.rx_cookie:
            _hear_anew(session)
        has_another_far_end = settings.peer_session_id != session.settings.peer_session_id
        session.configure(settings)
        if has_another_far_end:
            self._channels.begin_anew(session)
        self._channels.keep(session)
        self._has_backups |= bool(settings.backup)
        self._link()
        self._show(session)
        return {}, []

    def _del_session(self, message: Fields, fds: list[int]) -> Answer:
        tunnel, session = self._session(message)
        return {}, [self._release(tunnel, session)]

    def _del_sessions(self, message: Fields, fds: list[int]) -> Answer:
        """Some of a tunnel's sessions; asked again until `left` is 0. keep: their netdevs stay."""
        tunnel, keep = self._tunnel(message), message["keep"]
        some = list(tunnel.sessions.values())[:FDS_MAX]
        files = [self._release(tunnel, session, keep=keep) for session in some]
        return {"left": len(tunnel.sessions)}, files

    def _release(self, tunnel: WorkerTunnel, session: WorkerSession, *, keep: bool = False) -> int:
        """Forget a session. Its file goes back to who asked: closing the last one, which removes the netdev, takes the
        kernel many milliseconds, in which no frame would move here."""
        self._failovers.drop(session)
        self._loop.forget(session.port.fd)
        self._circuits.forget(session)
        self._channels.forget(session)
        if not keep:
            session.port.forget()
        session.close()
        del tunnel.sessions[session.settings.session_id]
        del tunnel.carrier.sessions[session.settings.session_id]
        return session.port.fd

    def _del_tunnel(self, message: Fields, fds: list[int]) -> Answer:
        tunnel = self._tunnel(message)
        if tunnel.sessions:
            raise Refused("busy", f"{len(tunnel.sessions)} sessions are left")
        del self._tunnels[tunnel.settings.netns, tunnel.settings.tunnel_id]
        self._leave(tunnel.carrier)
        return {"quits": self.empty and self._on_empty()}, []

    def _keep_circuits(self, message: Fields, fds: list[int]) -> Answer:
        """told: for all sessions that tell of their circuits, with other workers too: which, whether it is up, and what
        was heard before. Answers with what was heard of those that are here."""
        wanted, keys = {}, {}
        for device, inode, tunnel_id, session_id, up, heard in message["told"]:
            tunnel = self._tunnels.get(((device, inode), tunnel_id))
            session = tunnel.sessions.get(session_id) if tunnel is not None else None
            if tunnel is not None and session is not None and not session.gone:
                encap, ccid = tunnel.settings.encap, tunnel.settings.peer_tunnel_id
                wanted[session] = CircuitConfig(
                    tunnel.carrier, encap, ccid, bool(up), None if heard is None else bool(heard)
                )
                keys[session] = [device, inode, tunnel_id, session_id]
        self._circuits.keep(wanted)
        return {"heard": [[*key, self._circuits.heard(session)] for session, key in keys.items()]}, []

    def _find_session(self, message: Fields, fds: list[int]) -> Answer:
        """Which tunnels of a namespace and encapsulation have a session with that id."""
        device, inode = message["netns"]
        return {
            "tunnels": [
                tunnel.settings.tunnel_id
                for (netns, _), tunnel in self._tunnels.items()
                if netns == (device, inode)
                and tunnel.settings.encap == message["encap"]
                and message["session_id"] in tunnel.sessions
            ]
        }, []

    def _summary(self, message: Fields, fds: list[int]) -> Answer:
        """The tunnels, with the number of their sessions."""
        tunnels = [
            _settings_seen(tunnel) | {"session_count": len(tunnel.sessions), "backups": _backups(tunnel)}
            for tunnel in self._tunnels.values()
        ]
        return {"tunnels": tunnels}, []

    def _session_seen(self, session: WorkerSession) -> Fields:
        return _seen(session, self._channels.report(session)) | {"failover": self._failovers.role(session)}

    def _report(self, message: Fields, fds: list[int]) -> Answer:
        """The tunnels of a namespace (or all) with sessions and counters."""
        wanted = message["netns"]
        tunnels = [
            _settings_seen(tunnel)
            | {"counters": _tunnel_counters(tunnel.carrier), "without": _without(tunnel)}
            | {"heard": tunnel.carrier.heard.report()}
            | {"sessions": [self._session_seen(session) for session in tunnel.sessions.values()]}
            for (netns, _), tunnel in self._tunnels.items()
            if wanted is None or list(netns) == wanted
        ]
        return {"tunnels": tunnels}, []


def kind_of(settings: SessionSettings) -> type[WorkerSession]:
    """The class to make a session with these settings of."""
    return VlanSession if settings.vlan else WorkerSession


def _backups(tunnel: WorkerTunnel) -> list[str]:
    """The tunnels in which backups of its sessions are, by name."""
    return sorted({one.settings.backup.partition("/")[0] for one in tunnel.sessions.values() if one.settings.backup})


def _hear_anew(session: WorkerSession) -> None:
    """Forget when a session received something: it is about to have another far end, or to expect another cookie."""
    session.reception = ReceptionTracker(_received(session), session.tx_packets)


def _received(session: WorkerSession) -> int:
    """How many packets have come that tell that the far end is there."""
    return session.rx_packets + session.rx_channel


def _bound_device(tunnel: WorkerTunnel) -> str:
    """The netdev that its socket is bound to; "" once that is gone, also where another one has its name."""
    return tunnel.carrier.bound_device if tunnel.settings.bind_device else ""


def _settings_seen(tunnel: WorkerTunnel) -> Fields:
    """The settings of a tunnel, with those of its socket that the kernel may have changed as they are now."""
    return tunnel.settings.to_json() | {"bind_device": _bound_device(tunnel)}


def _without(tunnel: WorkerTunnel) -> list[str]:
    """Which of the offloads this tunnel has to do without. Over IP the kernel has none for sockets."""
    carrier, udp = tunnel.carrier, tunnel.settings.encap == "udp"
    words = ["gso"] if udp and not carrier.outlet.segments else []
    words += ["gro"] if udp and not carrier.merges else []
    ports = [session.port for session in tunnel.sessions.values()]
    words += [] if all(port.merges for port in ports) else ["napi"]
    return words + ([] if carrier.outlet.batched else ["mmsg"])


def _tunnel_counters(carrier: TunnelReceiver) -> Fields:
    return {
        "rx_unknown_session": carrier.rx_unknown_session,
        "rx_control": carrier.rx_control,
        "rx_invalid": carrier.rx_invalid,
        "tx_too_long": carrier.outlet.too_long,
    }


def _seen(session: WorkerSession, probing: ProbeReport | None) -> Fields:
    ifname = session.port.ifname()
    counters = {
        "tx_packets": session.tx_packets,
        "tx_bytes": session.tx_bytes,
        "tx_errors": session.tx_errors,
        "rx_packets": session.rx_packets,
        "rx_bytes": session.rx_bytes,
        "rx_errors": session.rx_errors + session.reassembler.dropped,
        "rx_seq_discards": session.rx_seq_discards,
        "rx_oos_packets": session.rx_oos_packets,
        "rx_cookie_discards": session.rx_cookie_discards,
        "rx_invalid": session.rx_invalid,
        "tx_fragments": session.tx_fragments,
        "rx_fragments": session.reassembler.fragments,
        "rx_reassembled": session.reassembler.reassembled,
        "rx_incomplete": session.reassembler.incomplete,
        "rx_too_long": session.reassembler.too_long,
    }
    seen = {"seen_ifname": ifname, "counters": counters, "reception": _reception(session)}
    seen["probing"] = None if probing is None else _probing(probing)
    return session.settings.to_json() | seen


def _probing(report: ProbeReport) -> Fields:
    return {"state": report.state.value, "since_ms": int(report.since_s * 1000), "reason": report.reason}


def _reception(session: WorkerSession) -> Fields:
    now = time.monotonic()
    session.reception.look(_received(session), session.tx_packets, now)
    _, last_received_s, in_vain_s = session.reception.reception(now)
    return {"last_received_ms": _milliseconds(last_received_s), "in_vain_ms": _milliseconds(in_vain_s)}


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * 1000)
