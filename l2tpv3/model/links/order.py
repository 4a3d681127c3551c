"""The order in which links can be made: each link after the links that it is over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from l2tpv3.errors import InvalidValueError
from l2tpv3.model.links.spec import LinkSpec

_SHOWN_MAX = 8


class CircleError(InvalidValueError):
    """Links that are over one another. link: the name of one of them."""

    def __init__(self, link: str, problem: str) -> None:
        super().__init__(f"link {link}: --over", problem, "leave one of them out", field="over")
        self.link = link


def in_order(specs: Mapping[str, LinkSpec]) -> list[str]:
    """The names of the links, each after the links that it is over. Raises CircleError where they go round in one."""
    done: dict[str, None] = {}
    for first in sorted(specs):
        path: dict[
            str, Iterator[str]
        ] = {}  # from `first` down, each with those beneath it that are still to be visited
        name: str | None = None if first in done else first
        while name is not None or path:
            if name is None:  # all beneath the last of the path are done
                done.setdefault(path.popitem()[0])
            elif name in path:
                names = list(path)
                names = names[names.index(name) :]
                circle = " over ".join((*names[:_SHOWN_MAX], *(["…"] if len(names) > _SHOWN_MAX else []), name))
                problem = f"goes round in a circle: {circle}"
                raise CircleError(name, problem)
            else:
                path[name] = iter(specs[name].over)
            name = None
            if path:
                beneath = next(reversed(path.values()))
                name = next((one for one in beneath if one in specs and one not in done), None)
    return list(done)
