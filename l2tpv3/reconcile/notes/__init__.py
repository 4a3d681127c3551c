"""Notes: what a status tells of a tunnel or a session beside its condition. Each is found by a function of its own.

To add one: write a function that yields sentences, and put it into TUNNEL_NOTES or SESSION_NOTES, with a word for the
cause and how much harm that does. `l2tpctl doctor` finds by the same rules. A sentence says what is wrong, then, behind
"; " or ": ", a remedy that works when it is typed. Nothing in it changes from look to look, as a counter does: each
change of a note is an event. A function that raises an L2tpError adds nothing, and the others are asked all the same.
Names of netdevs that others chose may stand in a sentence as they are: what does not print is escaped here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple, Protocol

from l2tpv3.errors import (
    InvalidValueError,
    L2tpError,
    MissingError,
    NoAddressError,
    NoRouteError,
    RefusedError,
    WorkerError,
)
from l2tpv3.linux.hook import hook_problem
from l2tpv3.linux.ipv6 import is_tentative
from l2tpv3.linux.netlink.bridge import BridgeSeen, DroppingFilter
from l2tpv3.linux.netns import netns_identity, same_netns
from l2tpv3.model.finding import Harm
from l2tpv3.model.mtu import ip_fragments, overhead, session_mtu
from l2tpv3.model.observed import Tunnel
from l2tpv3.model.probe import NO_ADDRESS, FailoverRole, hook_of
from l2tpv3.model.record import SessionRecord, TunnelRecord
from l2tpv3.model.spec import home
from l2tpv3.model.status import Condition, NetdevState, SessionStatus, TunnelStatus
from l2tpv3.paths import config_directory
from l2tpv3.printable import printable
from l2tpv3.reconcile.notes.addresses import address_notes
from l2tpv3.reconcile.notes.bridge_port import (
    Bridged,
    advice_notes,
    bridged,
    filter_notes,
    loop_notes,
    mtu_notes,
    spanning_tree_notes,
    stopping_notes,
)
from l2tpv3.reconcile.notes.encryption import encryption_notes
from l2tpv3.reconcile.notes.heard import control_notes, refusal_notes
from l2tpv3.reconcile.notes.udp_checksum import may_miss_them
from l2tpv3.resolve.route import Route
from l2tpv3.resolve.route_defaults import inner_mtu, measured
from l2tpv3.store.names import NameAnswer
from l2tpv3.value_class import value_class

_ETHERNET_MTU: Final = 1500
_WATCH: Final = "`systemctl enable --now l2tpv3-watch`"


class HostFacts(Protocol):
    """Questions that a note may ask of the host. Observer (reconcile/observer.py) asks the kernel and workers once for
    all notes.
    """

    def faults(self, datapath: str) -> tuple[WorkerError, ...]:
        """Why some of a datapath's workers can't be worked with; such a one may carry what no other one has."""

    def lost(self, datapath: str) -> Mapping[str, int]:
        """Tunnels in network namespaces that have lost their names, with the pids of their workers."""

    def route(self, record: TunnelRecord) -> Route:
        """The route that a tunnel should have now; see resolve.route_defaults.route_now, whose errors it raises."""

    def peer_name(self, name: str) -> NameAnswer | None:
        """What a peer's name stands for, as `watch` has found; None where it does not know. Nothing is looked up."""

    def into_itself(self, record: TunnelRecord) -> str:
        """The netdev by which the route to a tunnel's peer leads into that tunnel; see outer_path.OuterPaths."""

    def netdev(self, netns: str | None, ifname: str) -> NetdevState | None:
        """A netdev by its name, whoever made it; None where there is none."""

    def owners(self, netns: str | None, address: IPv4Address | IPv6Address) -> Sequence[NetdevState]:
        """The netdevs of a namespace that have an address."""

    def bridge(self, netns: str | None, ifname: str) -> BridgeSeen | None:
        """A bridge by its name, with its ports, whoever made it; None where there is none."""

    def marked(self, alias: str) -> tuple[TunnelRecord, SessionRecord] | None:
        """The session on record whose owner tag this ifalias is."""

    def dropping_filters(self, netns: str | None) -> tuple[DroppingFilter, ...]:
        """See l2tpv3.linux.netlink.bridge.dropping_filters."""

    def drops_for_checksums(self, netns: str | None) -> bool:
        """Whether the kernel drops UDP packets for their checksums; see udp_checksum.drops_for_checksums."""


@value_class(frozen=True, slots=True, kw_only=True)
class LookedAt:
    """A tunnel on record, as observed once. seen: what its datapath reports, None if nothing. status: without notes."""

    record: TunnelRecord
    seen: Tunnel | None
    status: TunnelStatus
    host: HostFacts


NotesOfTunnel = Callable[[LookedAt], Iterator[str]]
NotesOfSession = Callable[[LookedAt, SessionRecord, SessionStatus], Iterator[str]]


class TunnelRule(NamedTuple):
    """How one thing about a tunnel is found. cause: a word for it, see model.finding.Finding."""

    cause: str
    harm: Harm
    notes: NotesOfTunnel


class SessionRule(NamedTuple):
    """How one thing about a session is found; see TunnelRule."""

    cause: str
    harm: Harm
    notes: NotesOfSession


def tunnel_notes(looked: LookedAt) -> tuple[str, ...]:
    """All notes of the tunnel itself, in the order of TUNNEL_NOTES."""
    found: list[str] = []
    for rule in TUNNEL_NOTES:
        try:
            found += map(printable, rule.notes(looked))
        except L2tpError:
            continue
    return tuple(found)


def session_notes(looked: LookedAt, record: SessionRecord, status: SessionStatus) -> tuple[str, ...]:
    """All notes of one of the tunnel's sessions, in the order of SESSION_NOTES."""
    found: list[str] = []
    for rule in SESSION_NOTES:
        try:
            found += map(printable, rule.notes(looked, record, status))
        except L2tpError:
            continue
    return tuple(found)


# -- tunnels -----------------------------------------------------------------------------------------------------------


def _why_missing(looked: LookedAt) -> Iterator[str]:
    """Why a tunnel that is on record is not running, and what brings it back."""
    record = looked.record
    if looked.seen is not None:
        return
    if record.stopped is not None:
        yield f"`l2tpctl down` stopped it; {_restore(looked)} brings it back"
        return
    faults = looked.host.faults(record.datapath)
    lost = looked.host.lost(record.datapath).get(record.spec.name)
    for fault in faults:
        yield f"{fault.subject} {fault.problem}; it may be this tunnel's: {fault.remedy}"
    if lost is not None:
        where = f"worker {lost} has it in a network namespace that lost the name {record.spec.netns}"
        yield f"{where}; {_restore(looked)}, or `l2tpctl tunnel del {record.spec.name}`, ends that"
    elif faults or _lacks_only_its_worker(looked):
        return
    elif record.waits:
        try:
            looked.host.route(record)
            yield f"it is not running yet; {_restore(looked)} makes it"
        except L2tpError as error:
            yield f"it waits: {error.problem}; {_restore(looked)}, or `l2tpctl watch`, makes it once it can be"
    elif looked.status.condition is Condition.MISSING:
        yield f"it is not running; {_restore(looked)} brings it back"


def _lacks_only_its_worker(looked: LookedAt) -> bool:
    """Whether the kernel's programs go on without the worker that a tunnel should have."""
    record = looked.record
    if looked.seen is not None or record.stopped is not None or record.datapath != "ebpf":
        return False
    elsewhere = looked.host.lost(record.datapath).get(record.spec.name) is not None
    netdevs = any(one.netdev is not None for one in looked.status.sessions)
    return netdevs and not elsewhere and not looked.host.faults(record.datapath)


def _no_worker(looked: LookedAt) -> Iterator[str]:
    """The note that a tunnel has no worker and goes on in part."""
    if _lacks_only_its_worker(looked):
        yield f"it has no worker: what the kernel's programs move still passes; {_restore(looked)} starts another"


def _datapath_notes(looked: LookedAt) -> Iterator[str]:
    """Notes from the datapath about the tunnel."""
    yield from looked.seen.notes if looked.seen is not None else ()


def _refused(looked: LookedAt) -> Iterator[str]:
    """ICMP errors that come back for what the tunnel sends."""
    if looked.seen is None:
        return
    ago: list[float] = []
    if any(one.reception is None for one in looked.seen.sessions):  # else the worker knows what came, and when
        ago = [one.last_received_s for one in looked.status.sessions if one.last_received_s is not None]
    yield from refusal_notes(looked.record.spec.name, looked.seen, min(ago, default=None))


def _control(looked: LookedAt) -> Iterator[str]:
    """A peer that wants to set the tunnel up by messages."""
    if looked.seen is not None:
        yield from control_notes(looked.seen)


def _strangers(looked: LookedAt) -> Iterator[str]:
    """Sessions in a tunnel of ours that something else added."""
    known = {session.spec.session_id for session in looked.record.sessions}
    for session in looked.seen.sessions if looked.seen is not None else ():
        if session.session_id not in known:
            yield f"session id {session.session_id} ({session.ifname}) was added by something else"


def _outer_path(looked: LookedAt) -> Iterator[str]:
    """What has changed under a tunnel that runs: its local address, or the route to its peer."""
    record, name = looked.record, looked.record.spec.name
    if looked.seen is None:
        return
    try:
        route = looked.host.route(record)
    except NoAddressError:
        if not (yield from _tentative(record)):
            yield from _address_gone(record)
    except MissingError:
        device = record.spec.bind_device
        if device is not None:
            remedy = f"make it and {_restore(looked)}, or `l2tpctl tunnel set {name} --bind-device none`"
            yield f"netdev {device}, which it is bound to, is not there, so nothing is sent: {remedy}"
    except NoRouteError:
        remedy = f"`ip route get {record.spec.remote}` shows what is missing"
        yield f"there is no route to {record.spec.remote}, so nothing is sent: {remedy}"
    except RefusedError as error:
        yield f"{error.problem}, so nothing is sent: {error.remedy}"
    except InvalidValueError:
        remedy = f"`ip route get {record.spec.remote}` shows it"
        yield f"a route keeps packets from {record.spec.remote} (blackhole or prohibit), so nothing is sent: {remedy}"
    else:
        if route.local != record.local and not (yield from _tentative(record)):
            remedy = f"{_restore(looked)} takes {route.local}, which the route to {record.spec.remote} has now"
            yield f"local address {record.local} is not on this host any more, so nothing is sent: {remedy}"


def _peer_name(looked: LookedAt) -> Iterator[str]:
    """What keeps a tunnel from following its peer's name."""
    spec = looked.record.spec
    if spec.remote_name is None or looked.seen is None:
        return
    answer = looked.host.peer_name(spec.remote_name)
    if answer is None:
        yield f"nobody looks up {spec.remote_name}: `l2tpctl watch` does (its unit: {_WATCH})"
        return
    if answer.problem:
        remedy = f"`getent ahosts {spec.remote_name}` asks once more"
        yield f"{spec.remote_name} has no address now ({answer.problem}), and {spec.remote} stays in use: {remedy}"
        return
    address = answer.address(spec.remote, spec.local.version if spec.local is not None else None)
    if address is None:
        what = f"{spec.remote_name} has no IPv{spec.remote.version} address any more"
        yield f"{what}, and {spec.remote} stays in use: `l2tpctl tunnel set {spec.name} --local auto` takes another one"
    elif address != spec.remote:
        yield f"{spec.remote_name} is {address} now; {_restore(looked)} moves the tunnel there"


def _address_gone(record: TunnelRecord) -> Iterator[str]:
    """The note that this host does not have the local address."""
    if record.spec.local is None:
        yield f"local address {record.local} is not on this host any more, and there is no other to send from"
    else:
        remedy = f"give it back, or `l2tpctl tunnel set {record.spec.name} --local ADDR`"
        yield f"local address {record.local} is not on this host any more, so nothing is sent: {remedy}"


def _tentative(record: TunnelRecord) -> Generator[str, None, bool]:
    """The note that the local address can't be used yet. Gives whether that is so."""
    found = is_tentative(record.local, record.spec.netns)
    if found:
        yield (
            f"local address {record.local} is tentative, so nothing is sent: duplicate address detection is not done,"
            " which takes a second or two, and never ends while the netdev has no carrier:"
            " `ip -6 addr show tentative` shows such ones"
        )
    return found


def _encryption(looked: LookedAt) -> Iterator[str]:
    """What keeps an encrypted tunnel from passing anything."""
    yield from encryption_notes(looked.record, looked.status)


def _into_itself(looked: LookedAt) -> Iterator[str]:
    """The tunnel's packets are routed into the tunnel itself, so that nothing reaches the peer."""
    ifname = looked.host.into_itself(looked.record) if looked.seen is not None else ""
    if not ifname:
        return
    remote, own = looked.record.spec.remote, {one.spec.ifname for one in looked.record.sessions}
    through = f"its own session (netdev {printable(ifname)})"
    if ifname not in own:
        through = f"netdev {printable(ifname)}, whose own packets this tunnel carries"
    remedy = f"give {remote} a route of its own (`ip route get {remote}` shows which it has)"
    yield f"the route to the peer leads through {through}, so nothing arrives there: {remedy}"


def _unchecksummed(looked: LookedAt) -> Iterator[str]:
    """The note that the peer's packets may lack UDP checksums, which this end requires."""
    spec = looked.record.spec
    if looked.seen is None or not may_miss_them(looked.record, looked.seen):
        return
    if looked.host.drops_for_checksums(spec.netns):
        yield (
            "nothing was received, and the kernel has dropped UDP packets for missing or wrong checksums: if the peer"
            f" sends none, switch them on there, or `l2tpctl tunnel set {spec.name} --udp-checksum off` takes such ones"
        )


def _restore(looked: LookedAt) -> str:
    return f"`l2tpctl restore {looked.record.spec.name}`"


TUNNEL_NOTES: Final[tuple[TunnelRule, ...]] = (
    TunnelRule("not-running", Harm.STOPS, _why_missing),
    TunnelRule("no-worker", Harm.LOSES, _no_worker),
    TunnelRule("outer-path", Harm.STOPS, _outer_path),
    TunnelRule("peer-name", Harm.LOSES, _peer_name),
    TunnelRule("encryption", Harm.STOPS, _encryption),
    TunnelRule("into-itself", Harm.STOPS, _into_itself),
    TunnelRule("no-checksum", Harm.STOPS, _unchecksummed),
    TunnelRule("datapath", Harm.NONE, _datapath_notes),
    TunnelRule("refused", Harm.STOPS, _refused),
    TunnelRule("control", Harm.STOPS, _control),
    TunnelRule("stranger", Harm.NONE, _strangers),
)


# -- sessions ----------------------------------------------------------------------------------------------------------


def _session_missing(looked: LookedAt, record: SessionRecord, status: SessionStatus) -> Iterator[str]:
    """What brings back a session, or a session's netdev, that is gone from a tunnel that runs."""
    if looked.seen is None or status.condition is not Condition.MISSING:
        return
    if not any(one.session_id == record.spec.session_id for one in looked.seen.sessions):
        yield f"it is not running; {_restore(looked)} makes it again"
        return
    place = home(looked.record.spec, record.spec)
    if place is not None and netns_identity(place) is None:
        yield f"its netdev is gone, and so is network namespace {place}; {_restore(looked)} once that is there again"
    else:
        yield f"its netdev is gone; {_restore(looked)} makes it again"


def _moved_away(looked: LookedAt, record: SessionRecord, status: SessionStatus) -> Iterator[str]:
    """The note that a netdev is in a namespace where it does not belong, and stays there."""
    tunnel, netdev = looked.record.spec, status.netdev
    if netdev is None or netdev.netns is None or netdev.netns in (home(tunnel, record.spec), tunnel.netns):
        return
    keep = f"`l2tpctl session set {tunnel.name} {record.spec.name} --netns {netdev.netns}`"
    yield f"something moved its netdev to network namespace {netdev.netns}: move it back, or {keep} has it there"


def _addresses(looked: LookedAt, record: SessionRecord, status: SessionStatus) -> Iterator[str]:
    """An address that is of little use, or that another netdev has as well."""
    netdev = status.netdev
    if netdev is not None and record.spec.addresses:
        owners = functools.partial(looked.host.owners, netdev.netns)
        yield from address_notes(looked.record.spec.name, record.spec, netdev, owners)


def _fragments(looked: LookedAt, record: SessionRecord, status: SessionStatus) -> Iterator[str]:
    """The note that frames of full size are sent in IP fragments, what that costs, and what avoids it."""
    spec, tunnel = record.spec, looked.record.spec
    if spec.mtu is None or spec.fragment or looked.seen is None:
        return
    if spec.mtu <= _ETHERNET_MTU and status.netdev is not None and status.netdev.bridge is not None:
        return  # what a LAN needs, as bridge_port.mtu_notes says
    route_mtu = inner_mtu(tunnel, looked.host.route(looked.record).mtu)
    if tunnel.is_inside:
        return  # they are cut into fragments before they are encrypted, which nobody on the path sees
    shape = (tunnel.encap, tunnel.remote.version, len(spec.tx_cookie), spec.sublayer)
    around = overhead(*shape, tagged=spec.vlan is not None)
    fitting = session_mtu(route_mtu, *shape, tagged=spec.vlan is not None)
    if spec.mtu <= fitting:
        return
    names = f"{tunnel.name} {spec.name}"
    on = "" if looked.record.datapath == "user" else f"`l2tpctl tunnel set {tunnel.name} --datapath user` and "
    yield (
        f"frames of its {spec.mtu} bytes go in {ip_fragments(spec.mtu + around, route_mtu, tunnel.remote.version)} IP"
        f" fragments, which many firewalls and NATs drop, since the path takes {route_mtu}: one packet has room for"
        f" {fitting}; `l2tpctl session set {names} --mtu auto` keeps to that, {on}`l2tpctl session set {names}"
        " --fragment on`, at both ends, sends whole packets instead"
    )


def _in_a_bridge(notes: Callable[[Bridged], Iterator[str]]) -> NotesOfSession:
    """What becomes of frames in the bridge that its netdev is a port of, whoever put it there."""

    def of_session(looked: LookedAt, record: SessionRecord, status: SessionStatus) -> Iterator[str]:
        found = _bridged(looked, record, status)
        if found is not None:
            yield from notes(found)

    return of_session


def _bridged(looked: LookedAt, record: SessionRecord, status: SessionStatus) -> Bridged | None:
    netdev, host = status.netdev, looked.host
    bridge = host.bridge(netdev.netns, netdev.bridge) if netdev is not None and netdev.bridge is not None else None
    if netdev is None or bridge is None:
        return None
    return bridged(looked.record, record, netdev, bridge, host.marked)


def _filtered(looked: LookedAt, record: SessionRecord, status: SessionStatus) -> Iterator[str]:
    """The host's packet filter drops what the bridge forwards."""
    found = _bridged(looked, record, status)
    if found is not None:
        yield from filter_notes(found, looked.host.dropping_filters(found.netdev.netns))


def _other_mtu(looked: LookedAt, record: SessionRecord, status: SessionStatus) -> Iterator[str]:
    """An MTU that was computed from the route, which has room for another one by now."""
    if looked.seen is None or record.spec.mtu is not None:
        return
    route = looked.host.route(looked.record)
    (session,) = measured(looked.record.with_sessions((record,)), route.mtu).sessions
    if session.mtu != record.mtu:
        yield f"its MTU is {record.mtu}, and the route has room for {session.mtu} now; {_restore(looked)} sets that"


def _differences(looked: LookedAt, record: SessionRecord, status: SessionStatus) -> Iterator[str]:
    """What somebody else has made of the netdev that is not as is wanted of it."""
    netdev, spec = status.netdev, record.spec
    if looked.seen is None or netdev is None:
        return
    if not same_netns(netdev.netns, home(looked.record.spec, spec)):
        return  # which _moved_away tells
    differs = []
    if netdev.ifname != spec.ifname:
        differs.append(f"it is called {printable(netdev.ifname)}, not {spec.ifname}")
    if spec.bridge is not None and netdev.bridge != spec.bridge:
        instead = f" but of {printable(netdev.bridge)}" if netdev.bridge else ""
        differs.append(f"it is no port of bridge {spec.bridge}{instead}")
    if netdev.mtu != record.mtu:
        differs.append(f"its MTU is {netdev.mtu}, not {record.mtu}")
    differs += [f"it has no address {address}" for address in spec.addresses if address not in netdev.addresses]
    if spec.up and not netdev.up:
        differs.append("it is set down")
    if netdev.clamp_mtu != record.clamp_mtu:
        differs.append("it does not clamp TCP's MSS as it should")
    if differs:
        name = printable(netdev.ifname)
        yield f"its netdev {name} is not as wanted: {', '.join(differs)}; {_restore(looked)} mends that"


def _netdev_unfit(looked: LookedAt, record: SessionRecord, status: SessionStatus) -> Iterator[str]:
    """The same, where nothing passes: somebody has set it down, or taken it out of its bridge."""
    if not _passes_frames(record, status):
        yield from _differences(looked, record, status)


def _netdev_differs(looked: LookedAt, record: SessionRecord, status: SessionStatus) -> Iterator[str]:
    """The same, where something passes all the same."""
    if _passes_frames(record, status):
        yield from _differences(looked, record, status)


def _passes_frames(record: SessionRecord, status: SessionStatus) -> bool:
    netdev, spec = status.netdev, record.spec
    return netdev is None or ((netdev.up or not spec.up) and spec.bridge in (None, netdev.bridge))


def _bridge_down(looked: LookedAt, record: SessionRecord, status: SessionStatus) -> Iterator[str]:
    """A bridge passes no frames while it is set down."""
    netdev = status.netdev
    bridge = looked.host.netdev(netdev.netns, netdev.bridge) if netdev is not None and netdev.bridge else None
    if bridge is not None and not bridge.up:
        inside = f" -n {bridge.netns}" if bridge.netns else ""
        name = printable(bridge.ifname)
        yield f"bridge {name} is set down: `ip{inside} link set {name} up`"


def _nothing_accepted(looked: LookedAt, record: SessionRecord, status: SessionStatus) -> Iterator[str]:
    """Packets arrive, and all of them are dropped for one reason."""
    counters = status.counters
    if counters.rx_packets:
        return
    names = f"{looked.record.spec.name} {record.spec.name}"
    if counters.rx_cookie_discards:
        yield (
            f"all {counters.rx_cookie_discards} packets that arrived had another cookie than this session's rx-cookie,"
            " which has to be the other end's tx-cookie: change it there, or here by"
            f" `l2tpctl session set {names} --rx-cookie COOKIE`"
        )
    elif counters.rx_seq_discards:
        yield (
            f"all {counters.rx_seq_discards} packets that arrived had no sequence numbers, or old ones: have the other"
            f" end number what it sends, or `l2tpctl session set {names} --sequencing none`"
        )


def _not_probed(looked: LookedAt, record: SessionRecord, status: SessionStatus) -> Iterator[str]:
    """A session that is to be probed, and that nobody probes."""
    if record.spec.probe not in NO_ADDRESS and status.condition is Condition.UP and status.probing is None:
        yield f"nobody probes it: `l2tpctl watch` does (its unit: {_WATCH})"


def _failover(looked: LookedAt, record: SessionRecord, status: SessionStatus) -> Iterator[str]:
    """By which session the frames of one go that has a backup, or is one."""
    backup = record.spec.backup
    match status.failover:
        case FailoverRole.BY_BACKUP:
            yield f"its frames go by its backup, {backup}"
        case FailoverRole.BACKUP:
            yield "it is the backup of another session, by whose netdev all frames come and go: its own has no carrier"
        case FailoverRole.APART:
            yield (
                f"its backup, {backup}, is not there, or another worker carries it (tunnels over IP between the same"
                f" addresses stay together: --encap udp): `l2tpctl restore {looked.record.spec.name}`"
            )


def _on_dead(looked: LookedAt, record: SessionRecord, status: SessionStatus) -> Iterator[str]:
    """What keeps from happening what is to follow when the session is dead."""
    hook = hook_of(record.spec.on_dead)
    if hook is None:
        return
    if record.spec.probe == "none":
        remedy = f"`l2tpctl session set {looked.record.spec.name} {record.spec.name} --probe icmp:ADDR` has it probed"
        yield f"hook {hook} is never run, as nothing finds the session dead: {remedy}"
    elif problem := hook_problem(config_directory() / "hooks", hook):
        yield f"hook {hook} can't be run: {problem}"


SESSION_NOTES: Final[tuple[SessionRule, ...]] = (
    SessionRule("session-missing", Harm.STOPS, _session_missing),
    SessionRule("moved-away", Harm.LOSES, _moved_away),
    SessionRule("netdev-differs", Harm.STOPS, _netdev_unfit),
    SessionRule("netdev-differs", Harm.LOSES, _netdev_differs),
    SessionRule("bridge-down", Harm.STOPS, _bridge_down),
    SessionRule("mtu", Harm.LOSES, _other_mtu),
    SessionRule("address", Harm.LOSES, _addresses),
    SessionRule("fragments", Harm.NONE, _fragments),
    SessionRule("nothing-accepted", Harm.STOPS, _nothing_accepted),
    SessionRule("bridge-port", Harm.STOPS, _in_a_bridge(stopping_notes)),
    SessionRule("bridge-filter", Harm.STOPS, _filtered),
    SessionRule("spanning-tree", Harm.NONE, _in_a_bridge(spanning_tree_notes)),
    SessionRule("loop", Harm.LOSES, _in_a_bridge(loop_notes)),
    SessionRule("bridge", Harm.LOSES, _in_a_bridge(mtu_notes)),
    SessionRule("bridge-mtu", Harm.NONE, _in_a_bridge(advice_notes)),
    SessionRule("not-probed", Harm.NONE, _not_probed),
    SessionRule("on-dead", Harm.NONE, _on_dead),
    SessionRule("failover", Harm.NONE, _failover),
)
