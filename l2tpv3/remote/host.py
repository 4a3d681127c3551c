"""Another host, commanded through its service: what l2tpv3.host.manager.Manager is for this one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from l2tpv3.documents.audit import audit_entry_from_json
from l2tpv3.documents.error import error_from_problem
from l2tpv3.documents.path_mtu import path_mtu_from_json
from l2tpv3.documents.plan import RemoteDid, did_from_json, step_from_json
from l2tpv3.documents.state import state_from_json, state_to_json
from l2tpv3.documents.tunnel import session_from_json, tunnel_from_json
from l2tpv3.errors import ExistsError, NotFoundError, PreconditionError, about_session
from l2tpv3.model.absent import foreign_tunnel, no_tunnel
from l2tpv3.model.desired import Desired, DesiredLink
from l2tpv3.model.ids import is_name, parse_name
from l2tpv3.model.progress import ChangeResult, OnStep, RestoreEvent, RestoreOutcome, Tell
from l2tpv3.model.spec import session_attributes
from l2tpv3.model.status import SessionStatus, TunnelStatus
from l2tpv3.remote.client import Client
from l2tpv3.remote.links import RemoteLinks
from l2tpv3.remote.requests import CREATE, PAGE, PATCH, as_options, read_change, session_path, tunnel_path, understood
from l2tpv3.remote.validate import session_words, tunnel_words
from l2tpv3.store.database import AuditEntry

if TYPE_CHECKING:
    from l2tpv3.capture import CaptureOptions
    from l2tpv3.flows.report import Flows
    from l2tpv3.lan_hosts.report import HostsReport
    from l2tpv3.model.path_mtu import PathMtu
    from l2tpv3.remote.streams import RemoteCapture
    from l2tpv3.watch.diff import Event

_LOG_MAX: Final = 10_000


class RemoteHost:
    """A l2tpv3.host.base.Host. Every method raises L2tpError: the service's own, or why there is no answer."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.links = RemoteLinks(client)

    @property
    def undoes_unconfirmed(self) -> bool:
        """True: the service does."""
        return True

    # -- looking -------------------------------------------------------------------------------------------------

    def tunnels(self, *, netns: str | None = None, secrets: bool = False) -> list[TunnelStatus]:
        """Every tunnel; netns: another namespace of that host to look for foreign ones in."""
        found: list[TunnelStatus] = []
        cursor = None
        while True:
            page = self._client.get(
                "/v1/tunnels", include="sessions", limit=PAGE, cursor=cursor, netns=netns, secrets=_flag(secrets)
            )
            with understood(self._client):
                found += map(tunnel_from_json, page["tunnels"])
                cursor = page["next"]
            if cursor is None:
                return found

    def tunnel(self, name: str, *, secrets: bool = False) -> TunnelStatus:
        """One tunnel by name. Raises NotFoundError."""
        told = self._client.get(tunnel_path(name), include="sessions", secrets=_flag(secrets))
        with understood(self._client):
            return tunnel_from_json(told)

    def session(self, tunnel: str, name: str, *, secrets: bool = False) -> SessionStatus:
        """One session by name. Raises NotFoundError."""
        told = self._client.get(session_path(tunnel, name), secrets=_flag(secrets))
        with understood(self._client):
            return session_from_json(told)

    def stated(self, names: Collection[str] = ()) -> list[Desired]:
        """Give what is on record as files would state it in full, secrets included.

        Raises NotFoundError for a name that is not on record there.
        """
        told = self._client.get("/v1/state", secrets="true")
        with understood(self._client):
            stated = state_from_json(told)
        if not names:
            return stated
        tunnels = {one.name: one for one in stated if not isinstance(one, DesiredLink)}
        for name in names:
            if name not in tunnels:
                raise no_tunnel(name, tunnels)
        return [tunnels[name] for name in names]

    def path_mtu(self, tunnel: str, *, probe: bool, timeout_s: float) -> PathMtu:
        """What fits through a tunnel. Raises NotFoundError, NotPermittedError where the token may not have it probe."""
        told = self._client.get(f"{tunnel_path(tunnel)}/mtu", probe=_flag(probe), timeout_s=timeout_s)
        with understood(self._client):
            return path_mtu_from_json(told)

    def hosts(self, tunnel: str | None = None, session: str | None = None, *, listen_s: float = 2.0) -> HostsReport:
        """Who is behind sessions there. Raises NotFoundError, NotPermittedError without the scope `secrets`."""
        from l2tpv3.lan_hosts.report import from_json

        path = "/v1/hosts" if session is None or tunnel is None else f"{session_path(tunnel, session)}/hosts"
        told = self._client.get(path, tunnel=tunnel if session is None else None, listen_s=listen_s)
        with understood(self._client):
            return from_json(told)

    def flows(self, tunnel: str, session: str, *, interval_s: float, most: int) -> Generator[Flows, None, None]:
        """Give the flows that pass a session there, interval by interval: each is a request of its own.

        Raises NotFoundError, NotPermittedError without the scope `secrets`.
        """
        from l2tpv3.flows.report import from_json

        while True:
            told = self._client.get(f"{session_path(tunnel, session)}/flows", interval_s=interval_s, limit=most)
            with understood(self._client):
                found = from_json(told, most)
            yield found

    def capture(self, tunnel: str, session: str, options: CaptureOptions) -> RemoteCapture:
        """Capture a session's frames there, from now on. Raises NotFoundError."""
        from l2tpv3.remote.streams import RemoteCapture

        return RemoteCapture(self._client, session_path(tunnel, session), options)

    def follow(self, *, types: Collection[str] = (), counters_s: float | None = None) -> Iterator[Event]:
        """Give each event of the host from now on, as it happens. Blocks."""
        from l2tpv3.remote.streams import follow

        return follow(self._client, types, counters_s)

    def audit(self, limit: int = 50) -> list[AuditEntry]:
        """The last changes, the newest first."""
        told = self._client.get("/v1/log", limit=min(limit, _LOG_MAX)) if limit else {"entries": []}
        with understood(self._client):
            return [audit_entry_from_json(entry) for entry in reversed(told["entries"])]

    # -- tunnels and sessions ------------------------------------------------------------------------------------

    def add_tunnel(self, name: str, words: Mapping[str, Any], *, transient: bool = False) -> TunnelStatus:
        """Make a tunnel. Raises ExistsError where there is one of that name."""
        body = tunnel_words(name, words, new=True)
        if transient:
            body["transient"] = True
        try:
            with as_options(f"tunnel {name}"):
                made = self._client.change("PUT", tunnel_path(name), body, headers=CREATE)
        except PreconditionError as error:
            raise ExistsError(f"tunnel {name}", "exists already", f"`l2tpctl tunnel set {name}` changes it") from error
        with understood(self._client):
            return tunnel_from_json(made.document)

    def set_tunnel(self, name: str, words: Mapping[str, Any]) -> ChangeResult:
        """Change a tunnel.

        Raises NotFoundError, ForeignError, InvalidValueError for a word or value that can't be meant.
        """
        body = tunnel_words(name, words)
        if not is_name(name):
            raise foreign_tunnel(self.tunnel(name).name)
        with as_options(f"tunnel {name}"):
            answer = self._client.change("PATCH", tunnel_path(name), body, headers=PATCH)
        return read_change(self._client, answer)

    def del_tunnel(self, name: str) -> None:
        """Remove a tunnel. Raises NotFoundError."""
        self._client.change("DELETE", tunnel_path(name))

    def add_session(self, tunnel: str, name: str, words: Mapping[str, Any]) -> SessionStatus:
        """Make a session. Raises ExistsError where the tunnel has one of that name."""
        with about_session(tunnel, name):
            body = session_words(name, words, new=True)
        try:
            with as_options(f"session {tunnel}/{name}"):
                made = self._client.change("PUT", session_path(tunnel, name), body, headers=CREATE)
        except PreconditionError as error:
            remedy = f"`l2tpctl session set {tunnel} {name}` changes it"
            raise ExistsError(f"session {tunnel}/{name}", "exists already", remedy) from error
        with understood(self._client):
            return session_from_json(made.document)

    def set_session(self, tunnel: str, name: str, words: Mapping[str, Any]) -> ChangeResult:
        """Change a session. Raises NotFoundError, InvalidValueError for a word or value that can't be meant."""
        with about_session(tunnel, name):
            body = session_words(name, words)
        with as_options(f"session {tunnel}/{name}"):
            answer = self._client.change("PATCH", session_path(tunnel, name), body, headers=PATCH)
        return read_change(self._client, answer)

    def del_session(self, tunnel: str, name: str) -> None:
        """Remove a session. Raises NotFoundError."""
        self._client.change("DELETE", session_path(tunnel, name))

    # -- all of it -----------------------------------------------------------------------------------------------

    def plan(self, wanted: Iterable[Desired], *, prune: bool = False) -> RemoteDid:
        """Tell what `apply` would do now."""
        return self._did(self._client.post("/v1/plan", state_to_json(wanted), prune=_flag(prune)))

    def apply(
        self,
        wanted: Iterable[Desired],
        *,
        prune: bool = False,
        confirm_s: float | None = None,
        on_step: OnStep | None = None,
    ) -> RemoteDid:
        """Make the host what files want; on_step is told of each step before it is taken there."""
        told = self._client.lines("/v1/apply", state_to_json(wanted), prune=_flag(prune), confirm_s=confirm_s)
        return self._did(self._followed(told, on_step=on_step))

    def confirm(self) -> bool:
        """Keep what waits for its confirmation."""
        try:
            self._client.post("/v1/confirm")
        except NotFoundError:
            return False
        return True

    def rollback(self) -> RemoteDid | None:
        """Undo what waits for its confirmation."""
        try:
            return self._did(self._client.post("/v1/rollback"))
        except NotFoundError:
            return None

    def adopt(self, foreign: str, name: str | None = None, sublayer: str = "default") -> TunnelStatus:
        """Put a tunnel that something else made on record.

        Raises NotFoundError, InvalidValueError for what can't be a name.
        """
        if name is not None:
            parse_name(name, "tunnel name")
        session_attributes({"sublayer": sublayer})
        given = {"foreign": foreign, "name": name, "sublayer": sublayer}
        told = self._client.post("/v1/adopt", {word: value for word, value in given.items() if value is not None})
        with understood(self._client):
            adopted = str(told["name"])
        return self.tunnel(adopted)

    def down(self) -> RemoteDid:
        """Remove everything on record from the host, and keep it on record."""
        return self._did(self._client.post("/v1/down"))

    def restore(
        self, names: str | Collection[str] | None = None, *, wait_s: float = 0.0, tell: Tell | None = None
    ) -> list[str]:
        """Make again what is on record but not there; `tell` is told as it happens there."""
        names = [names] if isinstance(names, str) else None if names is None else list(names)
        told = self._client.lines("/v1/restore", tunnel=names, wait_s=wait_s or None)
        did = self._followed(told, tell=tell)
        with understood(self._client):
            return [str(name) for name in did["restored"]]

    # -- shared --------------------------------------------------------------------------------------------------

    def _followed(self, lines: Iterator[Any], *, on_step: OnStep | None = None, tell: Tell | None = None) -> Any:
        """What came of a change that tells of itself as it comes about; its steps and news are told on."""
        for line in lines:
            with understood(self._client):
                ((kind, told),) = line.items()
                value = _AS_IT_GOES[kind](told)
            if kind == "done":
                return value
            if kind == "problem":
                raise value
            if kind == "step" and on_step is not None:
                on_step(value)
            if kind == "news" and tell is not None:
                tell(value)
        raise self._client.broken_off()

    def _did(self, document: Any) -> RemoteDid:
        with understood(self._client):
            return did_from_json(document)


def _news(document: Mapping[str, Any]) -> RestoreEvent:
    error = document["error"]
    told = None if error is None else error_from_problem(error)
    return RestoreEvent(
        document["tunnel"], RestoreOutcome(document["turn"]), told, document.get("link"), document.get("changed", "")
    )


_AS_IT_GOES: dict[str, Callable[[Any], Any]] = {
    "step": step_from_json,
    "news": _news,
    "problem": error_from_problem,
    "done": lambda told: told,
}
"""What a line of a change that tells of itself may be, and how it is read."""


def _flag(value: bool) -> str | None:  # noqa: FBT001 - private, each call names it
    return "true" if value else None
