"""The guard of a real service: a bearer token, else the unix socket's peer, else a client certificate."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from starlette.requests import HTTPConnection

from l2tpv3.errors import UnauthenticatedError
from l2tpv3_api.auth.certificates import Certificates, names
from l2tpv3_api.auth.connection import client_of
from l2tpv3_api.auth.identity import Identity
from l2tpv3_api.auth.local_users import LocalUsers
from l2tpv3_api.auth.proxied import sign_of_proxy
from l2tpv3_api.auth.tokens import Tokens


class CredentialAuthenticator:
    """Implements base.Authenticator. A token in `Authorization` counts before the sender of the request.

    network_names: what this host is called on the network; see sign_of_proxy.
    """

    def __init__(
        self, tokens: Tokens, local: LocalUsers, certificates: Certificates, network_names: Collection[str] = ()
    ) -> None:
        self.tokens, self.local, self.certificates = tokens, local, certificates
        self._network_names = network_names
        self._used: dict[str, datetime] = {}

    async def identify(self, request: HTTPConnection) -> Identity:
        """Who asks. Raises UnauthenticatedError; NotPermittedError for local users who may do nothing."""
        said = request.headers.getlist("authorization")
        if said:
            return self._bearer(said)
        client = client_of(request)
        if client.peer is not None:
            if sign := sign_of_proxy(request.scope, self._network_names):
                raise _passed_on(sign)
            return await self.local.identify(client.peer)
        if client.certificate:
            identity = self.certificates.identify(client.certificate)
            if identity is not None:
                return identity
            shown = ", ".join(map(ascii, names(client.certificate))) or "no name"
            raise UnauthenticatedError("certificate", f"nothing is allowed to {shown}", "have it listed with --client")
        raise UnauthenticatedError(
            "request", "is not authenticated: no token was sent", "send `Authorization: Bearer TOKEN`"
        )

    def still_good(self, identity: Identity) -> bool:
        """Whether what let an identity in is still valid: for streams, which outlive their request's check.

        Raises what Tokens.holds does.
        """
        kind, _, id = identity.key.partition(":")
        return kind != "token" or self.tokens.holds(id)

    def note_used(self) -> None:
        """Write the times at which tokens were used last. Raises L2tpError."""
        used, self._used = self._used, {}
        if used:
            self.tokens.note_used(used)

    def _bearer(self, said: list[str]) -> Identity:
        kind, _, text = said[0].partition(" ")
        if len(said) > 1 or kind.lower() != "bearer":
            raise UnauthenticatedError("Authorization", "is not one bearer token", "send `Authorization: Bearer TOKEN`")
        token = self.tokens.check(text.strip())
        if token is None:
            raise UnauthenticatedError(
                "token",
                "is wrong, revoked or expired",
                "send a new one, which root of this host makes by `l2tpctl token add`",
            )
        self._used[token.id] = datetime.now(UTC).replace(microsecond=0)
        return token.identity()


def _passed_on(sign: str) -> UnauthenticatedError:
    problem = f"comes from a browser or by a proxy, as {sign} tells: who connects to this socket is not who asks"
    remedy = "send `Authorization: Bearer TOKEN`, and have a proxy connect to the socket of --proxy-unix"
    return UnauthenticatedError("request", problem, remedy)
