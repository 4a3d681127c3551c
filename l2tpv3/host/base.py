"""The protocol of a host that commands work on: this host (l2tpv3.host.manager) or another one (l2tpv3.remote)."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from l2tpv3.capture import CaptureOptions
    from l2tpv3.capture.pcapng import Statistics
    from l2tpv3.flows.report import Flows
    from l2tpv3.lan_hosts.report import HostsReport
    from l2tpv3.model.desired import Desired
    from l2tpv3.model.links.status import LinkStatus
    from l2tpv3.model.path_mtu import PathMtu
    from l2tpv3.model.progress import ChangeResult, OnStep, StepText, Tell
    from l2tpv3.model.status import SessionStatus, TunnelStatus
    from l2tpv3.store.database import AuditEntry
    from l2tpv3.watch.diff import Event


class Capture(Protocol):
    """A session's frames, live, as pieces of a pcapng file: iterate it, then `finish` or `close`."""

    @property
    def counted(self) -> Statistics | None:
        """The counts of packets so far; None where only the file tells."""

    def __iter__(self) -> Iterator[bytes]:
        """The pieces, until a limit is reached."""

    def finish(self) -> bytes:
        """The last piece; closes. Also for one that was not iterated to its end."""

    def close(self) -> None:
        """Stop capturing."""


class Did(Protocol):
    """The result of a change of the whole state (`apply`, `down`): what it did, or would do."""

    @property
    def step_texts(self) -> tuple[StepText, ...]:
        """The steps in their order; () when nothing that runs had to change."""

    @property
    def changes(self) -> bool:
        """Whether anything changes: what runs, or only what is on record of it."""


class LinkHost(Protocol):
    """Links of one host. Every method raises L2tpError.

    words: the command line's (LinkSpec.to_words): only those that are given. l2tpv3.host.links says more of each.
    """

    def all(self) -> list[LinkStatus]:
        """Every link on record, by name."""

    def get(self, name: str) -> LinkStatus:
        """One link by name."""

    def add(self, name: str, words: Mapping[str, Any], *, transient: bool = False) -> LinkStatus:
        """Make a link and put it on record."""

    def set(self, name: str, words: Mapping[str, Any]) -> ChangeResult:
        """Change a link; None resets a word."""

    def delete(self, name: str) -> None:
        """Remove a link; what it is over stays."""


class Host(Protocol):
    """Tunnels and sessions of one host. Every method raises L2tpError.

    words: the command line's (TunnelSpec.to_words, SessionSpec.to_words): only those that are given. secrets: whether
    the cookies' bytes are needed; without it they may be known by their length alone (l2tpv3.documents.tunnel.Hidden).
    l2tpv3.host.manager.Manager says more of each method.
    """

    @property
    def links(self) -> LinkHost:
        """The links of the host."""

    @property
    def undoes_unconfirmed(self) -> bool:
        """Whether it sees by itself to what nobody confirms; else whoever asks for a confirmation has to."""

    def tunnels(self, *, netns: str | None = None, secrets: bool = False) -> list[TunnelStatus]:
        """Every tunnel: those on record by name, then foreign ones. netns: another place to look for foreign ones."""

    def tunnel(self, name: str, *, secrets: bool = False) -> TunnelStatus:
        """One tunnel by name; foreign ones too."""

    def session(self, tunnel: str, name: str, *, secrets: bool = False) -> SessionStatus:
        """One session by name."""

    def stated(self, names: Collection[str] = ()) -> list[Desired]:
        """Give what is on record as files would state it in full, secrets included. names: of these tunnels alone."""

    def path_mtu(self, tunnel: str, *, probe: bool, timeout_s: float) -> PathMtu:
        """What fits through a tunnel. probe: also by echo requests, each of which waits so long for its answer."""

    def hosts(self, tunnel: str | None = None, session: str | None = None, *, listen_s: float = 2.0) -> HostsReport:
        """Who is behind sessions; None: behind all. listen_s: for how long to listen to what hosts say."""

    def flows(self, tunnel: str, session: str, *, interval_s: float, most: int) -> Generator[Flows, None, None]:
        """Give the `most` busiest flows that pass a session, interval by interval, without end; blocks meanwhile."""

    def capture(self, tunnel: str, session: str, options: CaptureOptions) -> Capture:
        """Capture a session's frames from now on."""

    def follow(self, *, types: Collection[str] = (), counters_s: float | None = None) -> Iterator[Event]:
        """Events from now on, as they happen; blocks.

        types: only these types. counters_s: also counters, every so many seconds.
        """

    def audit(self, limit: int = 50) -> list[AuditEntry]:
        """The last changes, the newest first."""

    def add_tunnel(self, name: str, words: Mapping[str, Any], *, transient: bool = False) -> TunnelStatus:
        """Make a tunnel and put it on record."""

    def set_tunnel(self, name: str, words: Mapping[str, Any]) -> ChangeResult:
        """Change a tunnel; None resets a word."""

    def del_tunnel(self, name: str) -> None:
        """Remove a tunnel with its sessions."""

    def add_session(self, tunnel: str, name: str, words: Mapping[str, Any]) -> SessionStatus:
        """Make a session and its netdev, and put it on record."""

    def set_session(self, tunnel: str, name: str, words: Mapping[str, Any]) -> ChangeResult:
        """Change a session; None resets a word."""

    def del_session(self, tunnel: str, name: str) -> None:
        """Remove a session and its netdev."""

    def plan(self, wanted: Iterable[Desired], *, prune: bool = False) -> Did:
        """Tell what `apply` would do now. Changes nothing."""

    def apply(
        self,
        wanted: Iterable[Desired],
        *,
        prune: bool = False,
        confirm_s: float | None = None,
        on_step: OnStep | None = None,
    ) -> Did:
        """Make the host as files say. On any failure it is put back as it was."""

    def confirm(self) -> bool:
        """Keep the change that waits for its confirmation. False when none waits."""

    def rollback(self) -> Did | None:
        """Undo the change that waits for its confirmation. None when none waits."""

    def adopt(self, foreign: str, name: str | None = None, sublayer: str = "default") -> TunnelStatus:
        """Put a tunnel that something else made on record."""

    def down(self) -> Did:
        """Remove everything on record from the host, and keep it on record."""

    def restore(
        self, names: str | Collection[str] | None = None, *, wait_s: float = 0.0, tell: Tell | None = None
    ) -> list[str]:
        """Make again what is on record but not there; the names of what was brought back.

        A link is `link NAME` among tunnels, and NAME alone is understood where no tunnel has it.
        """
