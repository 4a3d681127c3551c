"""strongSwan's daemon for IKE, charon: what it is told and asked by its socket (vici).

Each network namespace has a charon of its own, if any. Their sockets are files: /run/charon.vici is the usual one's,
and one in another namespace has a file beside it, /run/charon-NAME.vici (`charon-systemd.plugins.vici.socket` in
strongswan.conf(5)). So a socket is only used when its process runs in the namespace that is meant.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from l2tpv3.linux.unix_peer import peer_pid, runs_in
from l2tpv3.value_class import value_class

_FOLDER: Final = Path("/run")
_SOCKETS: Final = "charon*.vici"
_ANSWER_S: Final = 10.0
_TAKEN_UP_S: Final = 3.0
_AGAIN_S: Final = 0.05
REMEDY: Final = "`apt install charon-systemd strongswan-swanctl`, then `systemctl start strongswan`"


@value_class(frozen=True, slots=True, kw_only=True)
class Association:
    """An IKE SA, and the newest CHILD_SA in it by which packets pass.

    state: CONNECTING while the peer does not answer, ESTABLISHED ... age_s: seconds since the keys were agreed on,
    of the CHILD_SA; None where there is none. algorithm: as strongSwan calls it.
    """

    connection: str
    state: str
    endpoint: str | None
    age_s: int | None = None
    algorithm: str | None = None
    in_udp: bool = False
    rx_bytes: int = 0
    tx_bytes: int = 0


class Charon:
    """The charon of one network namespace. Use in a `with` block. Methods raise OSError, also for what it refuses.

    Raises OSError where none answers: ECONNREFUSED.
    """

    def __init__(self, netns: str | None) -> None:
        from vici import Session  # 30 ms, which other tunnels save

        self._socket = _connected(netns)
        self.pid = peer_pid(self._socket)
        self._session = Session(self._socket)

    def __enter__(self) -> Charon:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def connections(self) -> frozenset[str]:
        """The names of the connections that it knows by its socket."""
        with _refusals():
            return _texts(self._session.get_conns().get("conns", ()))

    def key_names(self) -> frozenset[str]:
        """The names of the shared keys that it knows by its socket."""
        with _refusals():
            return _texts(self._session.get_shared().get("keys", ()))

    def load(self, name: str, connection: Mapping[str, Any]) -> None:
        """Have it know a connection, or the connection of that name anew; it begins at once."""
        with _refusals():
            self._session.load_conn({name: connection})

    def load_key(self, name: str, key: bytes, owners: Iterable[str]) -> None:
        """Have it know a pre-shared key, or that of this name anew. owners: identities of both ends."""
        with _refusals():
            self._session.load_shared({"id": name, "type": "IKE", "data": key, "owners": list(owners)})

    def unload(self, name: str) -> None:
        """Have it forget a connection, and end its SAs, at the peer as well where that answers.

        An IKE SA that the peer is just taking up is waited for, as it can't be ended: the peer would have it all the
        same, in place of each other IKE SA with this host (INITIAL_CONTACT, RFC 7296 section 2.4), and would only find
        out minutes later that nobody is at this end of it.
        """
        with _refusals():
            self._session.unload_conn({"name": name})
            deadline = time.monotonic() + _TAKEN_UP_S
            while self._is_being_taken_up(name) and time.monotonic() < deadline:
                time.sleep(_AGAIN_S)
        with contextlib.suppress(OSError), _refusals():  # there is none
            list(self._session.terminate({"ike": name, "force": "yes", "timeout": "-1"}))

    def _is_being_taken_up(self, connection: str) -> bool:
        """Whether the peer has answered to the first message of an IKE SA, and not yet to the second, IKE_AUTH."""
        found = [one for entry in self._session.list_sas({"ike": connection}) for one in entry.values()]
        return any(
            _text(one.get("state")) == "CONNECTING"
            and _text(one.get("initiator")) == "yes"
            and _text(one.get("responder-spi")).strip("0") != ""
            for one in found
        )

    def unload_key(self, name: str) -> None:
        """Have it forget a pre-shared key."""
        with _refusals():
            self._session.unload_shared({"id": name})

    def associations(self, connection: str) -> list[Association]:
        """The IKE SAs of a connection."""
        with _refusals():
            found = list(self._session.list_sas({"ike": connection}))
        return [_association(name, one) for entry in found for name, one in entry.items() if name == connection]


def _connected(netns: str | None) -> socket.socket:
    """A socket to the charon of a namespace. Raises OSError."""
    for path in sorted(_FOLDER.glob(_SOCKETS)):
        one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            one.settimeout(_ANSWER_S)
            one.connect(str(path))
            if runs_in(Path(f"/proc/{peer_pid(one)}"), netns):
                return one
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                one.close()
                raise
        except BaseException:
            one.close()
            raise
        one.close()
    raise OSError(errno.ECONNREFUSED, "strongSwan's charon does not run here")


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """What charon refuses in the block, and an answer that can't be read, as OSError."""
    from vici.exception import CommandException, DeserializationException, SessionException

    try:
        yield
    except CommandException as error:
        raise OSError(errno.EINVAL, f"strongSwan refused it: {error}") from error
    except (SessionException, DeserializationException) as error:
        raise OSError(errno.EBADMSG, "strongSwan does not answer as agreed") from error


def _texts(values: Iterable[bytes]) -> frozenset[str]:
    return frozenset(_text(value) for value in values)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""


def _number(value: Any) -> int:
    text = _text(value)
    return int(text) if text.isascii() and text.isdigit() else 0


def _association(name: str, said: Mapping[str, Any]) -> Association:
    host, port = _text(said.get("remote-host")), _text(said.get("remote-port"))
    children = [one for one in said.get("child-sas", {}).values() if _text(one.get("state")) == "INSTALLED"]
    state, endpoint = _text(said.get("state")), f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if not children:
        return Association(connection=name, state=state, endpoint=endpoint)
    newest = min(children, key=lambda one: _number(one.get("install-time")))
    size = _text(newest.get("encr-keysize"))
    return Association(
        connection=name,
        state=state,
        endpoint=endpoint,
        age_s=_number(newest.get("install-time")),
        algorithm=_text(newest.get("encr-alg")) + (f"_{size}" if size else ""),
        in_udp=_text(newest.get("encap")) == "yes",
        rx_bytes=sum(_number(one.get("bytes-in")) for one in children),
        tx_bytes=sum(_number(one.get("bytes-out")) for one in children),
    )
