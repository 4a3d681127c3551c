"""UserDatapath: the Datapath protocol, privileged side. See the package's docstring for how it is put together."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from l2tpv3.datapath.base import TUNNEL_WORDS, CircuitKey, Support, ToldCircuit, unanswered
from l2tpv3.datapath.user import netdev
from l2tpv3.datapath.user.client import Client
from l2tpv3.datapath.user.offloads import MISSING, Offloads
from l2tpv3.datapath.user.settings import NetnsIdentity, SessionSettings, TunnelSettings
from l2tpv3.datapath.user.sockets import open_socket
from l2tpv3.datapath.user.workers import Workers
from l2tpv3.errors import ConflictError, ExistsError, L2tpError, NotFoundError, WorkerError
from l2tpv3.marks import Mark
from l2tpv3.netns import open_netns
from l2tpv3.places import Places
from l2tpv3.spec import Egress, Encap, SessionSpec, Sublayer, TunnelSpec, parse_address
from l2tpv3.state import Counters, Session, Tunnel, TunnelCounters

_Summary = dict[str, Any]
_NEEDED: Final = {"CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13}


class UserDatapath:
    """Pseudowires through TAPs and sockets, moved by worker processes whose control sockets are in places.runtime."""

    def __init__(self, places: Places, *, forgone: frozenset[str] = frozenset()) -> None:
        """forgone: what its workers do without; see offloads.py."""
        self._forgone = forgone
        self._runtime = places.runtime
        self._workers = Workers(places.runtime)
        self._unanswering: tuple[int, ...] = ()

    name = "user"
    in_place = frozenset(
        {
            *("peer_session_id", "tx_cookie", "rx_cookie", "sublayer", "sequencing", "reorder_timeout_ms", "mtu"),
            *("vlan", "egress"),
        }
    )

    tunnel_in_place = TUNNEL_WORDS

    def probe(self) -> Support:
        """Whether /dev/net/tun opens and the caller may use it; see Datapath.probe."""
        missing = [name for name, bit in _NEEDED.items() if not _effective_capabilities() >> bit & 1]
        if missing:
            return Support(works=False, reason=f"not permitted: run as root (missing {', '.join(missing)})")
        try:
            os.close(netdev.open_tun("user datapath"))
        except L2tpError as error:
            return Support(works=False, reason=str(error).removeprefix("user datapath: "))
        return Support(works=True, reason="TAP netdevs, frames moved by a Python worker")

    def tunnels(self, netns: str | None) -> list[Tunnel]:
        """See Datapath.tunnels. No worker is started for this, and without any it costs one directory listing.

        What a worker carries that does not answer is left out; `unanswering` tells of it.
        """
        hung: list[int] = []
        found: list[Tunnel] = []
        with self._workers.live(hung=hung) as clients:
            identity = _identify(netns) if clients else (0, 0)
            for client in clients:
                try:
                    found += (_tunnel(words, client.pid) for words in _report(client, identity))
                except WorkerError as error:
                    if error.errno != errno.ETIMEDOUT:
                        raise
                    hung.append(client.pid)
        self._unanswering = tuple(hung)
        return found

    @property
    def unanswering(self) -> tuple[int, ...]:
        """See HasWorkers.unanswering."""
        return self._unanswering

    def workers(self) -> dict[int, bool]:
        """See HasWorkers.workers."""
        return self._workers.answering()

    def circuits(self, told: Mapping[CircuitKey, ToldCircuit]) -> dict[CircuitKey, bool | None]:
        """See TellsCircuits.circuits. What a worker carries that does not answer is left out."""
        keys: dict[tuple[int, int, int, int], CircuitKey] = {}
        for key in told:
            with contextlib.suppress(NotFoundError):
                keys[(*_identify(key[0]), *key[1:])] = key
        rows = [[*words, *told[key]] for words, key in keys.items()]
        heard: dict[CircuitKey, bool | None] = {}
        with self._workers.live(hung=[]) as clients:
            for client in clients:
                with contextlib.suppress(WorkerError):
                    for *words, one in client.request("circuits", "circuits", told=rows)["heard"]:
                        heard[keys[tuple(words)]] = one
        return heard

    def add_tunnel(self, tunnel: TunnelSpec) -> None:
        """See Datapath.add_tunnel."""
        settings = TunnelSettings.of(tunnel, _identify(tunnel.netns))
        with self._workers.locked(), self._workers.live(clear=True) as clients, contextlib.ExitStack() as stack:
            carried = _summaries(clients)
            _check_free(tunnel, settings, carried)
            client, sock = _sharing(settings, carried), None
            if client is None:
                sock = stack.enter_context(open_socket(tunnel, shared_port=_port_is_ours(settings, carried)))
                client = self._least_loaded(clients, carried)
            started = client is None
            if client is None:
                client = stack.enter_context(self._workers.start())
            try:
                fds, offloads = [sock.fileno()] if sock else [], Offloads.wanted(self._forgone).to_json()
                client.request(f"tunnel {tunnel.name}", "add_tunnel", fds, tunnel=settings.to_json(), offloads=offloads)
            except BaseException:
                if started:
                    with contextlib.suppress(L2tpError):
                        self._workers.quit(client)
                raise

    def set_tunnel(self, old: TunnelSpec, new: TunnelSpec, sessions: Sequence[SessionSpec]) -> None:
        """See Datapath.set_tunnel. The worker takes another socket; sequence numbers and counters go on.

        Where over IP another worker has the socket between the new addresses, the sessions move to that one, and begin
        to count anew.
        """
        subject, settings = f"tunnel {new.name}", TunnelSettings.of(new, _identify(new.netns))
        hung: list[int] = []
        with (
            self._workers.locked(),
            self._workers.live(clear=True, hung=hung) as clients,
            contextlib.ExitStack() as stack,
        ):
            client, key = _require(old, clients, hung)
            carried = _summaries(clients)
            mine = next(one for _, one in carried if {"netns": one["netns"], "tunnel_id": one["tunnel_id"]} == key)
            others = [(one, words) for one, words in carried if words is not mine]
            _check_free(new, settings, others)
            sharing, fds = _sharing(settings, others), []
            moves = sharing not in (None, client)
            if not moves and sharing is None and TunnelSettings.from_json(mine).socket != settings.socket:
                shared = _is_own_port(settings, mine) or _port_is_ours(settings, others)
                fds = [stack.enter_context(open_socket(new, shared_port=shared)).fileno()]
            if not moves:
                offloads = Offloads.wanted(self._forgone).to_json()
                client.request(subject, "set_tunnel", fds, tunnel=settings.to_json(), offloads=offloads, **key)
                return
            _delete_sessions(client, subject, key, keep=True)
            if client.request(subject, "del_tunnel", **key)["quits"]:
                self._workers.ended(client)
        self.add_tunnel(new)
        for session in sessions:
            self.add_session(new, session, adopt=True)

    def _least_loaded(self, clients: list[Client], carried: list[tuple[Client, _Summary]]) -> Client | None:
        """The worker to take another tunnel; None: a new one should be started."""
        load = dict.fromkeys(clients, 0)
        for client, words in carried:
            load[client] += 1 + int(words["session_count"])
        idle = [client for client, count in load.items() if count == 0]
        if idle or len(clients) >= len(os.sched_getaffinity(0)):
            return idle[0] if idle else min(load, key=lambda client: load[client])
        return None

    def del_tunnel(self, tunnel: TunnelSpec) -> None:
        """See Datapath.del_tunnel. Without a worker that has it, what a dead one left is removed."""
        subject = f"tunnel {tunnel.name}"
        mark = Mark(self._runtime, tunnel.name)
        hung: list[int] = []
        with self._workers.locked(), self._workers.live(clear=True, hung=hung) as clients:
            home = _home(tunnel, clients)
            _refuse_hung(home, hung)
            if home is None:
                leftovers = netdev.find(mark, [tunnel.netns], elsewhere=True)
                if not leftovers:
                    raise NotFoundError(subject, f"no tunnel with id {tunnel.tunnel_id}")
            else:
                client, key = home
                _delete_sessions(client, subject, key)
                if client.request(subject, "del_tunnel", **key)["quits"]:
                    self._workers.ended(client)
                leftovers = netdev.find(mark, [tunnel.netns])
            _remove_left(subject, leftovers, clients, hung)

    def add_session(
        self, tunnel: TunnelSpec, session: SessionSpec, *, adopt: bool = False, homes: tuple[str | None, ...] = ()
    ) -> None:
        """See Datapath.add_session."""
        subject = f"session {session.name}"
        hung: list[int] = []
        with self._workers.locked(), self._workers.live(clear=True, hung=hung) as clients:
            client, key = _require(tunnel, clients, hung)
            _check_session_free(tunnel, session, client, clients, key)
            mark = Mark(self._runtime, tunnel.name, session.name)
            tun, adopted = self._adopt(tunnel, session, mark, homes) if adopt else None, True
            if tun is None:
                merging = Offloads.wanted(self._forgone).napi
                tun = netdev.create(tunnel.netns, session.ifname, mark, session.mac, merging=merging)
                adopted = False
            try:
                words = SessionSettings.of(session).to_json()
                client.request(subject, "add_session", [tun], session=words, **key)
            except BaseException:
                if not adopted:
                    netdev.discard(tun)
                    tun = -1
                raise
            finally:
                if tun >= 0:
                    os.close(tun)

    def _adopt(self, tunnel: TunnelSpec, session: SessionSpec, mark: Mark, homes: tuple[str | None, ...]) -> int | None:
        """Its TAP's file. Where the worker died while the session was made anew there are two: the other one goes.

        One in a namespace where the session never was is left alone: anybody there may have marked it.
        """
        adopted: int | None = None
        home = session.netns if session.netns is not None else tunnel.netns
        left = netdev.find(mark, [home, *homes, tunnel.netns])
        for found in sorted(left, key=lambda found: found.ifname != session.ifname):
            try:
                tun = netdev.attach(found, f"session {session.name}", merging=Offloads.wanted(self._forgone).napi)
            except ConflictError:
                if adopted is None:
                    raise
                continue  # a worker has it
            if adopted is None:
                adopted = tun
            elif tun is not None:
                netdev.discard(tun)
        return adopted

    def set_session(self, tunnel: TunnelSpec, session: SessionSpec) -> None:
        """See Datapath.set_session. Sequence numbers go on where they are."""
        hung: list[int] = []
        with self._workers.locked(), self._workers.live(clear=True, hung=hung) as clients:
            client, key = _require(tunnel, clients, hung)
            words = SessionSettings.of(session).to_json()
            client.request(f"session {session.name}", "set_session", session=words, **key)

    def del_session(self, tunnel: TunnelSpec, session: SessionSpec) -> None:
        """See Datapath.del_session. Without a worker that has it, what a dead one left is removed."""
        subject, number = f"session {session.name}", session.session_id
        hung: list[int] = []
        with self._workers.locked(), self._workers.live(clear=True, hung=hung) as clients:
            home = _home(tunnel, clients)
            _refuse_hung(home, hung)
            if home is not None:
                client, key = home
                try:
                    _close_after_worker(client, client.exchange(subject, "del_session", **key, session_id=number)[1])
                    return
                except NotFoundError:
                    pass
            mark = Mark(self._runtime, tunnel.name, session.name)
            leftovers = netdev.find(mark, [session.netns, tunnel.netns])
            if not leftovers and home is None:
                leftovers = netdev.find(mark, [], elsewhere=True)
            if not leftovers and home is None:
                raise NotFoundError(f"tunnel {tunnel.name}", f"no tunnel with id {tunnel.tunnel_id}")
            if not leftovers:
                raise NotFoundError(subject, f"no session with id {number}")
            _remove_left(subject, leftovers, clients, hung)


def _identify(netns: str | None) -> NetnsIdentity:
    """The network namespace itself, whatever it is called. Raises NotFoundError, NotPermittedError."""
    file = open_netns(netns if netns is not None else "/proc/thread-self/ns/net")
    try:
        status = os.fstat(file)
    finally:
        os.close(file)
    return status.st_dev, status.st_ino


def _report(client: Client, netns: NetnsIdentity) -> list[_Summary]:
    """A worker's tunnels in a namespace; none when it has ended since it was found (another command deletes)."""
    try:
        tunnels: list[_Summary] = client.request("workers", "report", netns=netns)["tunnels"]
    except WorkerError as error:
        if error.errno != errno.ECONNRESET:
            raise
        return []
    return tunnels


def _effective_capabilities() -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


def _summaries(clients: list[Client]) -> list[tuple[Client, _Summary]]:
    return [(client, words) for client in clients for words in client.request("workers", "summary")["tunnels"]]


def _check_free(tunnel: TunnelSpec, settings: TunnelSettings, carried: list[tuple[Client, _Summary]]) -> None:
    """Raise ExistsError when the id is taken, ConflictError when the local port is, by one with the same remote."""
    for _, words in carried:
        other = TunnelSettings.from_json(words)
        if other.netns != settings.netns:
            continue
        if other.tunnel_id == settings.tunnel_id:
            problem = f"tunnel id {tunnel.tunnel_id} is taken by tunnel {other.name}"
            raise ExistsError(f"tunnel {tunnel.name}", problem, "give another --id")
        if settings.encap == "udp" and _path(other) == _path(settings):
            problem = f"{settings.local} port {settings.local_port} is taken by tunnel {other.name} to the same remote"
            raise ConflictError(f"tunnel {tunnel.name}", problem, "give another --local-port")


def _is_own_port(settings: TunnelSettings, present: _Summary) -> bool:
    """Whether the port that a tunnel is to have is the one that it has."""
    here = TunnelSettings.from_json(present)
    return (here.encap, here.local, here.local_port) == (settings.encap, settings.local, settings.local_port)


def _path(settings: TunnelSettings) -> tuple[object, ...]:
    return settings.encap, settings.local, settings.local_port, settings.remote


def _port_is_ours(settings: TunnelSettings, carried: list[tuple[Client, _Summary]]) -> bool:
    """Whether tunnels of ours have that local port, each with another remote address: a hub, with 1701 everywhere.

    To one remote address each tunnel needs a port of its own, as with the kernel, even if the remote ports differ.
    """
    others = [
        other
        for other in (TunnelSettings.from_json(words) for _, words in carried)
        if (other.encap, other.netns, other.local, other.local_port)
        == (settings.encap, settings.netns, settings.local, settings.local_port)
    ]
    return settings.encap == "udp" and bool(others) and all(other.remote != settings.remote for other in others)


def _sharing(settings: TunnelSettings, carried: list[tuple[Client, _Summary]]) -> Client | None:
    """The worker that has a socket over IP between the same addresses."""
    if settings.encap == "ip":
        for client, words in carried:
            other = TunnelSettings.from_json(words)
            if other.encap == "ip" and other.same_path == settings.same_path:
                return client
    return None


def _home(tunnel: TunnelSpec, clients: list[Client]) -> tuple[Client, dict[str, Any]] | None:
    """The worker that carries the tunnel, and the fields that name it in a request.

    A namespace that lost its name lives as long as a worker has sockets in it: then the name that it had counts.
    """
    if not clients:
        return None
    try:
        identity: NetnsIdentity | None = _identify(tunnel.netns)
    except NotFoundError:
        identity = None
    for client, words in _summaries(clients):
        here = words["netns_name"] == tunnel.netns if identity is None else words["netns"] == list(identity)
        if here and words["tunnel_id"] == tunnel.tunnel_id:
            return client, {"netns": words["netns"], "tunnel_id": tunnel.tunnel_id}
    return None


def _refuse_hung(home: tuple[Client, dict[str, Any]] | None, hung: list[int]) -> None:
    """Raise when no worker that answers has a tunnel, and one does not answer: it may have it."""
    if home is None and hung:
        raise unanswered(hung[0])


def _require(tunnel: TunnelSpec, clients: list[Client], hung: list[int]) -> tuple[Client, dict[str, Any]]:
    home = _home(tunnel, clients)
    _refuse_hung(home, hung)
    if home is None:
        raise NotFoundError(f"tunnel {tunnel.name}", f"no tunnel with id {tunnel.tunnel_id}")
    return home


def _check_session_free(
    tunnel: TunnelSpec, session: SessionSpec, home: Client, clients: list[Client], key: dict[str, Any]
) -> None:
    """Raise ExistsError when the session id is taken: in its tunnel, or over IP in the network namespace."""
    ask = {"netns": key["netns"], "encap": tunnel.encap.value, "session_id": session.session_id}
    for client in clients if tunnel.encap is Encap.IP else [home]:
        taken = client.request(f"session {session.name}", "find_session", **ask)["tunnels"]
        if taken and (tunnel.encap is Encap.IP or tunnel.tunnel_id in taken):
            problem = f"session id {session.session_id} is taken"
            if taken != [tunnel.tunnel_id]:
                problem += f" by the tunnel with id {taken[0]}: over IP it is unique in a network namespace"
            raise ExistsError(f"session {session.name}", problem, "give another --id")


def _delete_sessions(client: Client, subject: str, key: dict[str, Any], *, keep: bool = False) -> None:
    """All sessions of a tunnel. keep: their netdevs stay, for another worker."""
    left = 1
    while left:
        answer, files = client.exchange(subject, "del_sessions", keep=keep, **key)
        _close_after_worker(client, files)
        left = answer["left"]


def _remove_left(subject: str, left: list[netdev.Found], clients: list[Client], hung: list[int]) -> None:
    """Remove TAPs that nobody carries: a successor of that name has such a mark too, and keeps its own."""
    places = {found.netns for found in left}
    reports = [words for place in places for client in clients for words in _report(client, _identify(place))]
    carried = {session["seen_ifname"] for words in reports for session in words["sessions"]}
    for found in left:
        # A worker that dies just now has its TAPs open still, so that alone keeps none.
        if (hung or found.ifname in carried) and netdev.is_attached(found, subject):
            continue
        netdev.remove(found)


def _close_after_worker(client: Client, files: list[int]) -> None:
    """Close the files of TAPs that a worker gave back, whereupon the netdevs vanish.

    Whoever closes such a file last waits for an RCU grace period, and that must not be the worker: when it answers
    another request it has closed its own. Several at a time, for the same reason.
    """
    try:
        client.request("worker", "nothing")
    finally:
        if len(files) == 1:
            os.close(files[0])
        else:
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(os.close, files))


def _tunnel(words: dict[str, Any], pid: int) -> Tunnel:
    udp = words["encap"] == "udp"
    sessions = words["sessions"]
    return Tunnel(
        tunnel_id=words["tunnel_id"],
        peer_tunnel_id=words["peer_tunnel_id"],
        encap=Encap(words["encap"]),
        local=parse_address(words["local"], "local"),
        remote=parse_address(words["remote"], "remote"),
        local_port=words["local_port"],
        remote_port=words["remote_port"],
        udp_checksum=words["udp_checksum"] if udp else None,
        sessions=tuple(_session(session) for session in sessions),
        counters=TunnelCounters(**words["counters"]),
        worker_pid=pid,
        notes=tuple(MISSING[word] for word in words.get("without", ()) if word in MISSING),
    )


def _session(words: dict[str, Any]) -> Session:
    return Session(
        session_id=words["session_id"],
        peer_session_id=words["peer_session_id"],
        ifname=words["seen_ifname"] or words["ifname"],
        attached=words["seen_ifname"] or "",
        tx_cookie=bytes.fromhex(words["tx_cookie"]),
        rx_cookie=bytes.fromhex(words["rx_cookie"]),
        send_seq=words["send_seq"],
        recv_seq=words["recv_seq"],
        reorder_timeout_ms=words["reorder_timeout_ms"],
        sublayer=Sublayer(words["sublayer"]),
        vlan=words.get("vlan") or None,  # a worker of an earlier version tells none
        egress=Egress.REWRITE if words.get("rewrite") else Egress.REMOVE,
        counters=Counters(**words["counters"]),
    )
