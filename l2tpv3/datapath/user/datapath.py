"""UserDatapath: the Datapath protocol, privileged side. See the package's docstring for how it is put together."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from l2tpv3.datapath.base import Carried, SignalledCircuit, Support, Unreachable
from l2tpv3.datapath.user import tap
from l2tpv3.datapath.user.offloads import MISSING, Offloads
from l2tpv3.datapath.user.settings import INHERIT, NetnsIdentity, SessionSettings, TunnelSettings
from l2tpv3.datapath.user.tunnel_socket import open_socket
from l2tpv3.errors import ConflictError, ExistsError, L2tpError, NotFoundError
from l2tpv3.linux.capabilities import lacking, remedy
from l2tpv3.linux.netns import netns_identity, netns_names, open_netns
from l2tpv3.model.fields import PROBED_IN_PLACE, SESSION, TUNNEL, attributes_in_place, words_in_place
from l2tpv3.model.hearing import Reception
from l2tpv3.model.observed import Counters, Session, Tunnel, TunnelCounters
from l2tpv3.model.ownership import OwnerTag
from l2tpv3.model.probe import ChannelProbe, FailoverRole, ProbeReport, ProbeState
from l2tpv3.model.spec import CircuitKey, Egress, Encap, SessionSpec, Sublayer, TunnelSpec, parse_address
from l2tpv3.paths import Paths
from l2tpv3.printable import printable
from l2tpv3.worker.client import Client, bad_answer
from l2tpv3.worker.pool import LiveWorkers, WorkerPool
from l2tpv3.worker.strays import netdevs_of

_Summary = dict[str, Any]


class UserDatapath:
    """Pseudowires through TAPs and sockets, moved by worker processes whose control sockets are in places.runtime."""

    def __init__(self, paths: Paths, *, forgone: frozenset[str] = frozenset()) -> None:
        """forgone: what its workers do without; see offloads.py."""
        self._forgone = forgone
        self._runtime = paths.runtime
        self._workers = WorkerPool(paths.runtime)

    name = "user"
    in_place = (
        attributes_in_place(SESSION, "user") | PROBED_IN_PLACE | {"mtu"}
    )  # of what the netdev has, a worker has to know its MTU
    tunnel_in_place = words_in_place(TUNNEL, "user")

    def probe(self) -> Support:
        """Whether /dev/net/tun opens and the caller may use it; see Datapath.probe."""
        if lacking("CAP_NET_ADMIN"):
            return Support(works=False, reason=f"not permitted: {remedy('CAP_NET_ADMIN')}")
        try:
            os.close(tap.open_tun("user datapath"))
        except L2tpError as error:
            return Support(works=False, reason=str(error).removeprefix("user datapath: "))
        return Support(works=True, reason="TAP netdevs, frames moved by a Python worker")

    def tunnels(self, netns: str | None) -> list[Tunnel]:
        """See Datapath.tunnels. No worker is started for this, and without any it costs one directory listing.

        What a worker carries that can't be worked with is left out; `look` tells of it.
        """
        return self.look(netns).tunnels

    def look(self, netns: str | None) -> Carried:
        """See HasWorkers.look."""
        found: list[Tunnel] = []
        with self._workers.live() as crew:
            identity = _identify(netns) if crew.clients else (0, 0)
            for client, answer in crew.ask_all("report", netns=identity):
                try:
                    found += _reported(answer["tunnels"], identity, client.pid)
                except (L2tpError, ValueError) as error:
                    crew.faults.append(bad_answer(client.pid, str(error)))
            return Carried(found, tuple(crew.faults))

    def unreachable(self) -> Unreachable:
        """See HasWorkers.unreachable."""
        with self._workers.live() as crew:
            lost = {words["name"]: client.pid for client, words in _summaries(crew) if is_lost(words)}
            return Unreachable(tuple(stray.fault() for stray in self._workers.strays(crew)), lost)

    def replace_old(self, known: Collection[str]) -> list[L2tpError]:
        """See HasWorkers.replace_old."""
        return self._workers.replace_old(known, lambda: tap.all_marked(self._runtime))

    def workers(self) -> dict[int, bool]:
        """See HasWorkers.workers."""
        return self._workers.answering()

    def ask_all_again(self) -> None:
        """See HasWorkers.ask_all_again."""
        self._workers.ask_all_again()

    def circuits(self, told: Mapping[CircuitKey, SignalledCircuit]) -> dict[CircuitKey, bool | None]:
        """See SignalsCircuits.circuits. What a worker carries that does not answer is left out."""
        keys: dict[tuple[int, int, int, int], CircuitKey] = {}
        for key in told:
            with contextlib.suppress(NotFoundError):
                keys[(*_identify(key[0]), *key[1:])] = key
        rows = [[*words, *told[key]] for words, key in keys.items()]
        heard: dict[CircuitKey, bool | None] = {}
        with self._workers.live() as crew:
            for _, answer in crew.ask_all("circuits", told=rows):
                for *words, one in answer["heard"]:
                    if (carried := keys.get(tuple(words))) is not None:
                        heard[carried] = one
        return heard

    def add_tunnel(self, tunnel: TunnelSpec) -> None:
        """See Datapath.add_tunnel."""
        settings = TunnelSettings.of(tunnel, _identify(tunnel.netns))
        with self._workers.locked(), self._workers.live(clear=True) as crew, contextlib.ExitStack() as stack:
            carried = _summaries(crew)
            _check_free(tunnel, settings, carried)
            client, sock = _sharing(settings, carried), None
            if client is None:
                with self._blaming_strays(crew):
                    sock = stack.enter_context(open_socket(tunnel, shared_port=_port_is_ours(settings, carried)))
                client = _of_primaries(settings, carried) or self._least_loaded(crew.clients, carried)
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
        with self._workers.locked(), self._workers.live(clear=True) as crew, contextlib.ExitStack() as stack:
            client, key = _require(old, crew)
            carried = _summaries(crew)
            names_it = (one for _, one in carried if {"netns": one["netns"], "tunnel_id": one["tunnel_id"]} == key)
            mine = next(names_it, None)
            if mine is None:  # its worker has ended since it was asked
                raise NotFoundError(subject, f"no tunnel with id {old.tunnel_id}")
            others = [(one, words) for one, words in carried if words is not mine]
            _check_free(new, settings, others)
            sharing, fds = _sharing(settings, others), []
            moves = sharing not in (None, client)
            if not moves and sharing is None and TunnelSettings.from_json(mine).socket != settings.socket:
                shared = _is_own_port(settings, mine) or _port_is_ours(settings, others)
                with self._blaming_strays(crew):
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

    @contextlib.contextmanager
    def _blaming_strays(self, crew: LiveWorkers) -> Iterator[None]:
        """Add to errors of the `with` block, that a port or netdev is taken, which lost worker may have it."""
        try:
            yield
        except ConflictError as error:
            strays = self._workers.strays(crew)
            if not strays:
                raise
            problem = f"{error.problem}, maybe by worker {strays[0].pid}, which has lost its control socket"
            raise ConflictError(error.subject, problem, strays[0].fault().remedy, errno=error.errno) from error

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
        mark = OwnerTag(self._runtime, tunnel.name)
        with self._workers.locked(), self._workers.live(clear=True) as crew:
            homes = _homes(tunnel, crew)
            for client, key in homes:
                _delete_sessions(client, subject, key)
                if client.request(subject, "del_tunnel", **key)["quits"]:
                    self._workers.ended(client)
                    crew.clients.remove(client)
            leftovers = tap.find(mark, [tunnel.netns], elsewhere=not homes)
            if not homes and not leftovers:
                raise NotFoundError(subject, f"no tunnel with id {tunnel.tunnel_id}")
            self._remove_left(subject, leftovers, crew)

    def add_session(
        self, tunnel: TunnelSpec, session: SessionSpec, *, adopt: bool = False, homes: tuple[str | None, ...] = ()
    ) -> None:
        """See Datapath.add_session."""
        subject = f"session {session.name}"
        with self._workers.locked(), self._workers.live(clear=True) as crew:
            client, key = _require(tunnel, crew)
            _check_session_free(tunnel, session, client, crew, key)
            client = self._beside_backup(tunnel, session, client, key, crew)
            mark = OwnerTag(self._runtime, tunnel.name, session.name)
            with self._blaming_strays(crew):
                tun, adopted = self._adopt(tunnel, session, mark, homes) if adopt else None, True
            if tun is None:
                merging = Offloads.wanted(self._forgone).napi
                tun = tap.create(tunnel.netns, session.ifname, mark, session.mac, merging=merging)
                adopted = False
            try:
                words = SessionSettings.of(session).to_json()
                client.request(subject, "add_session", [tun], session=words, **key)
            except BaseException:
                if not adopted:
                    tap.discard(tun)
                    tun = -1
                raise
            finally:
                if tun >= 0:
                    os.close(tun)

    def _adopt(
        self, tunnel: TunnelSpec, session: SessionSpec, mark: OwnerTag, homes: tuple[str | None, ...]
    ) -> int | None:
        """Open the session's TAP. A worker that died while it made the session anew left two: one is removed.

        One in a namespace where the session never was is left alone: anybody there may have marked it.
        """
        adopted: int | None = None
        home = session.netns if session.netns is not None else tunnel.netns
        left = tap.find(mark, [home, *homes, tunnel.netns])
        for found in sorted(left, key=lambda found: found.ifname != session.ifname):
            try:
                tun = tap.attach(found, f"session {session.name}", merging=Offloads.wanted(self._forgone).napi)
            except ConflictError:
                if adopted is None:
                    raise
                continue  # a worker has it
            if adopted is None:
                adopted = tun
            elif tun is not None:
                tap.discard(tun)
        return adopted

    def set_session(self, tunnel: TunnelSpec, session: SessionSpec) -> None:
        """See Datapath.set_session. Sequence numbers go on where they are."""
        with self._workers.locked(), self._workers.live(clear=True) as crew:
            client, key = _require(tunnel, crew)
            client = self._beside_backup(tunnel, session, client, key, crew)
            words = SessionSettings.of(session).to_json()
            client.request(f"session {session.name}", "set_session", session=words, **key)

    def _beside_backup(
        self, tunnel: TunnelSpec, session: SessionSpec, client: Client, key: dict[str, Any], crew: LiveWorkers
    ) -> Client:
        """The worker of a session's tunnel, which moves first to the one of its backup, where that is another one.

        Not where it shares a socket over IP: then it stays, and the session's status tells that its backup is apart.
        """
        if session.backup is None:
            return client
        carried = _summaries(crew)
        target = _carrier_of(session.backup.partition("/")[0], key, carried)
        others = [(one, words) for one, words in carried if words["name"] != tunnel.name]
        settings = TunnelSettings.of(tunnel, tuple(key["netns"]))
        if target in (None, client) or target is None or _sharing(settings, others) is not None:
            return client
        self._move(tunnel, client, target, key, shared_port=_port_is_ours(settings, others))
        return target

    def _move(
        self, tunnel: TunnelSpec, source: Client, target: Client, key: dict[str, Any], *, shared_port: bool
    ) -> None:
        """Have another worker carry a tunnel and its sessions, whose netdevs stay. Their counters begin anew."""
        subject = f"tunnel {tunnel.name}"
        (words,) = [
            one
            for one in source.request(subject, "report", netns=key["netns"])["tunnels"]
            if one["tunnel_id"] == key["tunnel_id"]
        ]
        taps, left = list[int](), 1
        try:
            while left:
                answer, files = source.exchange(subject, "del_sessions", keep=True, **key)
                taps += files
                left = answer["left"]
            if source.request(subject, "del_tunnel", **key)["quits"]:
                self._workers.ended(source)
            settings = TunnelSettings.from_json(words).to_json()
            offloads = Offloads.wanted(self._forgone).to_json()
            with open_socket(tunnel, shared_port=shared_port) as sock:
                target.request(subject, "add_tunnel", [sock.fileno()], tunnel=settings, offloads=offloads)
            for one, tap_file in zip(words["sessions"], taps, strict=True):
                session = SessionSettings.from_json(one).to_json()
                target.request(f"session {one['name']}", "add_session", [tap_file], session=session, **key)
        finally:
            for tap_file in taps:
                os.close(tap_file)

    def del_session(self, tunnel: TunnelSpec, session: SessionSpec) -> None:
        """See Datapath.del_session. Without a worker that has it, what a dead one left is removed."""
        subject, number = f"session {session.name}", session.session_id
        with self._workers.locked(), self._workers.live(clear=True) as crew:
            home = _home(tunnel, crew)
            if home is not None:
                client, key = home
                try:
                    _close_after_worker(client, client.exchange(subject, "del_session", **key, session_id=number)[1])
                    return
                except NotFoundError:
                    pass
            mark = OwnerTag(self._runtime, tunnel.name, session.name)
            leftovers = tap.find(mark, [session.netns, tunnel.netns])
            if not leftovers and home is None:
                leftovers = tap.find(mark, [], elsewhere=True)
            if not leftovers and home is None:
                raise NotFoundError(f"tunnel {tunnel.name}", f"no tunnel with id {tunnel.tunnel_id}")
            if not leftovers:
                raise NotFoundError(subject, f"no session with id {number}")
            self._remove_left(subject, leftovers, crew)

    def _remove_left(self, subject: str, left: list[tap.FoundTap], crew: LiveWorkers) -> None:
        """Remove TAPs that nobody carries: a successor of that name has such a mark too, and keeps its own.

        A worker that has lost its control socket and, by this, its last TAP is ended.
        """
        carried = {ifname for netns in {found.netns for found in left} for ifname in _carried(crew, netns)}
        strays = [stray for stray in self._workers.strays(crew) if stray.netdevs] if left else []
        for found in left:
            # A worker that dies just now has its TAPs open still, so that alone keeps none.
            if (crew.faults or found.ifname in carried) and tap.is_attached(found, subject):
                continue
            tap.remove(found)
        for stray in strays:
            if stray.proven and netdevs_of(stray.pid) == frozenset():
                self._workers.end_stray(stray)


def _carried(crew: LiveWorkers, netns: str | None) -> Iterator[str | None]:
    """The names of the netdevs of all sessions that workers report of a network namespace."""
    for _, answer in crew.ask_all("report", netns=_identify(netns)):
        for tunnel in answer["tunnels"]:
            yield from (session["seen_ifname"] for session in tunnel["sessions"])


def _identify(netns: str | None) -> NetnsIdentity:
    """The network namespace itself, whatever it is called. Raises NotFoundError, NotPermittedError."""
    file = open_netns(netns if netns is not None else "/proc/thread-self/ns/net")
    try:
        status = os.fstat(file)
    finally:
        os.close(file)
    return status.st_dev, status.st_ino


def _reported(tunnels: list[_Summary], netns: NetnsIdentity, pid: int) -> list[Tunnel]:
    """What a worker reports of a namespace. Raises ValueError, L2tpError where that can't be."""
    if any(words["netns"] != list(netns) for words in tunnels):
        raise ValueError("it reports a network namespace that it was not asked about")
    return [_tunnel(words, pid) for words in tunnels]


def is_lost(words: _Summary) -> bool:
    """Whether a tunnel is in a network namespace that had a name and has none any more."""
    identity, name = tuple(words["netns"]), words["netns_name"]
    if name is None or identity in (netns_identity(None), netns_identity(name)):
        return False
    return identity not in map(netns_identity, netns_names())


def _summaries(crew: LiveWorkers) -> list[tuple[Client, _Summary]]:
    """Every tunnel and its client, of the workers that can be worked with."""
    return [(client, words) for client, answer in crew.ask_all("summary") for words in answer["tunnels"]]


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
    shared = False
    for _, words in carried:
        other = TunnelSettings.from_json(words)
        theirs = (other.encap, other.netns, other.local, other.local_port)
        if theirs == (settings.encap, settings.netns, settings.local, settings.local_port):
            if other.remote == settings.remote:
                return False
            shared = True
    return shared and settings.encap == "udp"


def _carrier_of(name: str, key: dict[str, Any], carried: list[tuple[Client, _Summary]]) -> Client | None:
    """The worker that carries the tunnel of that name in the namespace of a tunnel that `key` names."""
    return next((one for one, words in carried if (words["name"], words["netns"]) == (name, key["netns"])), None)


def _of_primaries(settings: TunnelSettings, carried: list[tuple[Client, _Summary]]) -> Client | None:
    """The worker of sessions whose backups are in the tunnel: that has to carry both."""
    return next((client for client, words in carried if settings.name in words["backups"]), None)


def _sharing(settings: TunnelSettings, carried: list[tuple[Client, _Summary]]) -> Client | None:
    """The worker that has a socket over IP between the same addresses."""
    if settings.encap == "ip":
        for client, words in carried:
            other = TunnelSettings.from_json(words)
            if other.encap == "ip" and other.same_path == settings.same_path:
                return client
    return None


_Home = tuple[Client, dict[str, Any]]
"""The worker that carries a tunnel, and the fields that name the tunnel in a request."""


def _home(tunnel: TunnelSpec, crew: LiveWorkers) -> _Home | None:
    """The worker that carries the tunnel. Raises as `_homes` does."""
    return next(iter(_homes(tunnel, crew)), None)


def _homes(tunnel: TunnelSpec, crew: LiveWorkers) -> list[_Home]:
    """Find where the tunnel is carried: in its network namespace, and in namespaces that have lost their name.

    Such a namespace lives as long as a worker has sockets in it; there may be another one of its name by now. Raises
    WorkerError when no worker has it and there is one that can't be worked with, which may have it.
    """
    try:
        identity: NetnsIdentity | None = _identify(tunnel.netns) if crew.clients else None
    except NotFoundError:
        identity = None
    here: list[_Home] = []
    lost: list[_Home] = []
    for client, words in _summaries(crew):
        if words["tunnel_id"] != tunnel.tunnel_id:
            continue
        home = client, {"netns": words["netns"], "tunnel_id": words["tunnel_id"]}
        if identity is not None and words["netns"] == list(identity):
            here.append(home)
        elif (words["name"], words["netns_name"]) == (tunnel.name, tunnel.netns) and is_lost(words):
            lost.append(home)
    if not here and not lost:
        crew.require_all()
    return here + lost


def _require(tunnel: TunnelSpec, crew: LiveWorkers) -> tuple[Client, dict[str, Any]]:
    home = _home(tunnel, crew)
    if home is None:
        raise NotFoundError(f"tunnel {tunnel.name}", f"no tunnel with id {tunnel.tunnel_id}")
    return home


def _check_session_free(
    tunnel: TunnelSpec, session: SessionSpec, home: Client, crew: LiveWorkers, key: dict[str, Any]
) -> None:
    """Raise ExistsError when the session id is taken: in its tunnel, or over IP in the network namespace."""
    ask = {"netns": key["netns"], "encap": tunnel.encap.value, "session_id": session.session_id}
    subject = f"session {session.name}"
    over_ip = tunnel.encap is Encap.IP
    answers = crew.ask_all("find_session", **ask) if over_ip else [(home, home.request(subject, "find_session", **ask))]
    for _, answer in answers:
        taken = answer["tunnels"]
        if taken and (tunnel.encap is Encap.IP or tunnel.tunnel_id in taken):
            problem = f"session id {session.session_id} is taken"
            if taken != [tunnel.tunnel_id]:
                problem += f" by the tunnel with id {taken[0]}: over IP it is unique in a network namespace"
            raise ExistsError(subject, problem, "give another --id")


def _delete_sessions(client: Client, subject: str, key: dict[str, Any], *, keep: bool = False) -> None:
    """All sessions of a tunnel. keep: their netdevs stay, for another worker."""
    left = 1
    while left:
        answer, files = client.exchange(subject, "del_sessions", keep=keep, **key)
        _close_after_worker(client, files)
        left = answer["left"]


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
            from concurrent.futures import ThreadPoolExecutor

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
        bound_device=words["bind_device"],
        inherits=words["dscp"] == INHERIT or words["df"] == "inherit",
        sessions=tuple(_session(session) for session in sessions),
        counters=TunnelCounters(**words["counters"]),
        worker_pid=pid,
        notes=tuple(MISSING[word] for word in words["without"] if word in MISSING),
        refused=words["heard"]["refused"],
        control=(words["heard"]["control_version"], words["heard"]["control_type"]),
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
        vlan=words["vlan"] or None,
        egress=Egress.REWRITE if words["rewrite"] else Egress.REMOVE,
        fragment=words["fragment"],
        counters=Counters(**words["counters"]),
        reception=_reception(words["reception"]),
        channel_probe=_channel_probe(words),
        probing=_probing(words["probing"]),
        failover=FailoverRole(words["failover"]) if words["failover"] else None,
    )


def _channel_probe(words: dict[str, Any]) -> ChannelProbe | None:
    interval_ms = words["probe_interval_ms"]
    if not interval_ms:
        return None
    backup = printable(words["backup"]) or None
    return ChannelProbe(interval_ms, words["probe_multiplier"], words["carrier"], backup, words["revert_delay_s"])


def _probing(words: dict[str, Any] | None) -> ProbeReport | None:
    if words is None:
        return None
    return ProbeReport(
        state=ProbeState(words["state"]), since_s=words["since_ms"] / 1000, reason=printable(words["reason"])
    )


def _reception(words: dict[str, int | None]) -> Reception:
    last_received_s = _seconds(words["last_received_ms"])
    return Reception(last_received_s is not None, last_received_s, _seconds(words["in_vain_ms"]))


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
