"""Connections to a NATS server, and the bucket as the coordinator reaches it through one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Iterator
from typing import Any, Final

from l2tpv3.errors import NotPermittedError, UnreachableError
from l2tpv3.fleet.nats import packages
from l2tpv3.fleet.nats.server_config import BUCKET, DECIDED, STATUS_BUCKET
from l2tpv3.fleet.nats.signed import VALUE_MAX
from l2tpv3.fleet.nats.status import STATUS_MAX

TIMEOUT_S: Final = 5.0
"""How long to wait for an answer."""
_CLUSTER: Final = 3
_NOT_SO_MANY: Final = {10005, 10074}  # JSClusterNoPeersErrF, JSStreamReplicasNotSupportedErr: fewer servers are there
_EXISTS: Final = 10071  # JSStreamWrongLastSequenceErrF of nats-server: the subject has a message already


@contextlib.contextmanager
def translated(subject: str) -> Iterator[None]:
    """Errors of nats-py and of sockets as L2tpError. Raises UnreachableError, NotPermittedError."""
    nats = packages.nats()
    try:
        yield
    except (nats.errors.Error, nats.js.errors.Error, OSError, TimeoutError) as error:
        text = str(error) or type(error).__name__
        if "Authorization Violation" in text or isinstance(error, nats.errors.AuthorizationError):
            remedy = "enroll the host again, or look at the accounts in the server's configuration"
            raise NotPermittedError(subject, "the server does not know this login", remedy) from error
        raise UnreachableError(subject, text, "look whether the server runs, and its log") from error


@contextlib.asynccontextmanager
async def connected(url: str, seed: str, inbox: str, lost: asyncio.Event | None = None) -> AsyncIterator[Any]:
    """A connection (nats.aio.client.Client) for the block. It does not connect again by itself.

    url: one or more, with commas between. lost: set when the connection is lost. Raises L2tpError where there is none.
    """
    nats = packages.nats()

    async def note_loss(*_: object) -> None:
        if lost is not None:
            lost.set()

    async def ignore(_: Exception) -> None:
        """What goes wrong later is told by the call that it concerns, or by the loss of the connection."""

    with translated(url):
        client = await nats.connect(
            url.split(","),
            nkeys_seed_str=seed,
            inbox_prefix=inbox,
            allow_reconnect=False,
            connect_timeout=TIMEOUT_S,
            max_reconnect_attempts=1,  # of each server, before there is any connection; 0 is without end
            reconnect_time_wait=0.2,
            ping_interval=20,
            error_cb=ignore,
            disconnected_cb=note_loss,
            closed_cb=note_loss,
        )
    try:
        yield client
    finally:
        with contextlib.suppress(Exception):  # it may be lost already
            await client.close()


class NatsBucket:
    """The Bucket behind a coordinator's connection. replicas: how many servers keep it; None: three where there are."""

    def __init__(self, client: Any, *, replicas: int | None = None) -> None:
        self._client, self._replicas = client, replicas
        self._stream = client.jetstream(timeout=TIMEOUT_S)
        self._heard: dict[str, bytes] = {}
        self._news = asyncio.Event()
        self._listening = False

    async def make(self) -> None:
        """Make both streams, where they are not there, and have them kept by as many servers as are asked for."""
        packages.nats()
        from nats.js.api import DiscardPolicy, StorageType, StreamConfig

        for bucket, most in ((BUCKET, VALUE_MAX), (STATUS_BUCKET, STATUS_MAX)):
            config = StreamConfig(
                name=f"KV_{bucket}",
                subjects=[f"$KV.{bucket}.>"],
                max_msgs_per_subject=1,
                max_msg_size=most,
                discard=DiscardPolicy.NEW,
                storage=StorageType.FILE,
                num_replicas=self._replicas or _CLUSTER,
                allow_direct=True,
                allow_rollup_hdrs=False,
                deny_delete=True,
            )
            kept_by = await self.kept_by(bucket)
            with translated("the server"):
                if kept_by is None:
                    await self._add(config)
                elif self._replicas not in (None, kept_by):
                    await self._stream.update_stream(config)

    async def _add(self, config: Any) -> None:
        from nats.js.errors import APIError

        try:
            await self._stream.add_stream(config)
        except APIError as error:
            if self._replicas is not None or error.err_code not in _NOT_SO_MANY:
                raise
            config.num_replicas = 1
            await self._stream.add_stream(config)

    async def kept_by(self, bucket: str = BUCKET) -> int | None:
        """How many servers keep a bucket; None where it is not there."""
        from nats.js.errors import NotFoundError

        with translated("the server"):
            try:
                info = await self._stream.stream_info(f"KV_{bucket}")
            except NotFoundError:
                return None
            return int(info.config.num_replicas or 1)

    async def get(self, key: str) -> bytes | None:
        """See Bucket. The stream's leader is asked, whose answer is never old."""
        return await self._get(BUCKET, key)

    async def status(self, host: str) -> bytes | None:
        """The status that a host told last; None where it has told none."""
        return await self._get(STATUS_BUCKET, host)

    async def _get(self, bucket: str, key: str) -> bytes | None:
        from nats.js.errors import NotFoundError

        with translated("the server"):
            try:
                message = await self._stream.get_last_msg(f"KV_{bucket}", f"$KV.{bucket}.{key}")
            except NotFoundError:
                return None
            return bytes(message.data or b"")

    async def put(self, key: str, value: bytes) -> None:
        """See Bucket."""
        with translated("the server"):
            await self._stream.publish(f"$KV.{BUCKET}.{key}", value, stream=f"KV_{BUCKET}")

    async def create(self, key: str, value: bytes) -> bool:
        """See Bucket."""
        from nats.js.errors import APIError

        headers = {"Nats-Expected-Last-Subject-Sequence": "0"}
        with translated("the server"):
            try:
                await self._stream.publish(f"$KV.{BUCKET}.{key}", value, stream=f"KV_{BUCKET}", headers=headers)
            except APIError as error:
                if error.err_code != _EXISTS:
                    raise
                return False
            return True

    async def announce(self, serial: int, value: bytes) -> None:
        """See Bucket."""
        with translated("the server"):
            await self._client.publish(f"{DECIDED}.{serial}", value)
            await self._client.flush(TIMEOUT_S)

    async def statuses(self, hosts: Collection[str], timeout_s: float) -> dict[str, bytes]:
        """See Bucket."""
        with translated("the server"):
            if not self._listening:
                await self._client.subscribe(f"$KV.{STATUS_BUCKET}.*", cb=self._hear)
                await self._client.flush(TIMEOUT_S)
                self._listening = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), timeout_s)
        self._news.clear()
        if self._client.is_closed:
            raise UnreachableError("the server", "the connection is lost", "look whether the server runs, and its log")
        heard, self._heard = self._heard, {}
        return {name: value for name, value in heard.items() if name in hosts}

    async def _hear(self, message: Any) -> None:
        self._heard[message.subject.rpartition(".")[2]] = message.data
        self._news.set()


async def bucket_of(client: Any, *, replicas: int | None = None) -> NatsBucket:
    """The bucket, which is made where it is not there. Raises L2tpError."""
    bucket = NatsBucket(client, replicas=replicas)
    await bucket.make()
    return bucket
