"""Hands each request to a worker to what carries it out: to its tunnels, or to its virtual cards.

Each request comes as a message's fields with the open files that came along, and is answered with fields and open
files. A request that fails changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from l2tpv3.worker import protocol

Fields = dict[str, Any]
Answer = tuple[Fields, list[int]]
"""The answer's fields, and files to send with it, which are closed here afterwards."""
Operation = Callable[[Fields, list[int]], Answer]


class Refused(Exception):
    """The request can't be met; `slug` is that of the l2tpv3.errors class which the caller raises."""

    def __init__(self, slug: str, problem: str) -> None:
        super().__init__(problem)
        self.slug = slug


class Handlers(Protocol):
    """Handles the operations of one kind of thing, tunnels or virtual cards."""

    @property
    def operations(self) -> Mapping[str, Operation]:
        """The operations that it carries out, by their names in protocol.py."""

    @property
    def empty(self) -> bool:
        """Whether it carries nothing."""


class Requests:
    """Carries out all requests to one worker. on_quit: called when somebody asks it to end."""

    def __init__(self, on_quit: Callable[[], None], *handlers: Handlers) -> None:
        self._on_quit = on_quit
        self._handlers = handlers
        self._operations: dict[str, Operation] = {"quit": self._quit, "nothing": lambda message, fds: ({}, [])}
        for one in handlers:
            self._operations |= one.operations

    @property
    def empty(self) -> bool:
        """Whether the worker carries nothing."""
        return all(one.empty for one in self._handlers)

    def answer(self, message: Fields, fds: list[int]) -> Answer:
        """Do what a message asks. Takes the files over. Never raises: what is wrong is in the answer."""
        op = str(message.pop("op", None))
        try:
            protocol.check_request(op, message)
            fields, files = self._operations[op](message, fds)
        except Refused as error:
            return {"ok": False, "error": error.slug, "problem": str(error)}, []
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return {"ok": False, "error": "refused", "problem": f"bad request: {error}"}, []
        except OSError as error:
            return {"ok": False, "error": "refused", "problem": f"the worker failed: {error.strerror or error}"}, []
        finally:
            for fd in fds:  # those that were used were taken out of the list
                os.close(fd)
        return {"ok": True} | fields, files

    def _quit(self, message: Fields, fds: list[int]) -> Answer:
        self._on_quit()
        return {}, []
