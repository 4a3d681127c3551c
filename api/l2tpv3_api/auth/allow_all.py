"""A guard that lets everyone in, for tests and for programs that embed the app and guard it themselves."""

from __future__ import annotations

from typing import Final

from starlette.requests import HTTPConnection

from l2tpv3_api.auth.identity import EVERYTHING, Identity

NOBODY_IN_PARTICULAR: Final = Identity("anyone", EVERYTHING, "open")


class AllowAll:
    """Takes every request for one from `identity`."""

    def __init__(self, identity: Identity = NOBODY_IN_PARTICULAR) -> None:
        self.identity = identity

    async def identify(self, request: HTTPConnection) -> Identity:
        """Give the one identity that every request has."""
        return self.identity
