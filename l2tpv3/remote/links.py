"""Links of another host: what l2tpv3.host.links is for this one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from l2tpv3.documents.link import link_from_json
from l2tpv3.errors import ExistsError, PreconditionError
from l2tpv3.model.links.status import LinkStatus
from l2tpv3.model.progress import ChangeResult
from l2tpv3.remote.client import Client
from l2tpv3.remote.requests import CREATE, PAGE, PATCH, as_options, link_path, read_change, understood
from l2tpv3.remote.validate import link_words


class RemoteLinks:
    """A l2tpv3.host.base.LinkHost. Every method raises L2tpError: the service's own, or why there is no answer."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def all(self) -> list[LinkStatus]:
        """Every link on record there, by name."""
        found: list[LinkStatus] = []
        cursor = None
        while True:
            page = self._client.get("/v1/links", limit=PAGE, cursor=cursor)
            with understood(self._client):
                found += map(link_from_json, page["links"])
                cursor = page["next"]
            if cursor is None:
                return found

    def get(self, name: str) -> LinkStatus:
        """One link by name. Raises NotFoundError."""
        told = self._client.get(link_path(name))
        with understood(self._client):
            return link_from_json(told)

    def add(self, name: str, words: Mapping[str, Any], *, transient: bool = False) -> LinkStatus:
        """Make a link. Raises ExistsError where there is one of that name."""
        body = link_words(name, words)
        if transient:
            body["transient"] = True
        try:
            with as_options(f"link {name}"):
                made = self._client.change("PUT", link_path(name), body, headers=CREATE)
        except PreconditionError as error:
            raise ExistsError(f"link {name}", "exists already", f"`l2tpctl link set {name}` changes it") from error
        with understood(self._client):
            return link_from_json(made.document)

    def set(self, name: str, words: Mapping[str, Any]) -> ChangeResult:
        """Change a link. Its type says what the words mean, and is known there: they are sent as they are.

        Raises NotFoundError, InvalidValueError for a word or value that can't be meant.
        """
        with as_options(f"link {name}"):
            answer = self._client.change("PATCH", link_path(name), dict(words), headers=PATCH)
        return read_change(self._client, answer)

    def delete(self, name: str) -> None:
        """Remove a link; what it is over stays. Raises NotFoundError."""
        self._client.change("DELETE", link_path(name))
