"""The protocol of what makes links: netdevs of the kernel, virtual cards in user space, ports."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from l2tpv3.errors import L2tpError
from l2tpv3.model.links.options import LinkType
from l2tpv3.model.links.spec import Below, LinkSpec

if TYPE_CHECKING:
    from l2tpv3.links.inventory import NetdevInventory
    from l2tpv3.model.links.observed import LinkState


class LinkBackend(Protocol):
    """Makes links of some types.

    mark: the link's owner tag. below: the netdev of each name in `over`. Raises L2tpError.
    """

    def check(self, spec: LinkSpec, below: Below, mark: str, *, ours: Iterable[str] = ()) -> None:
        """Check that the link can be made, before anything is touched.

        ours: names of netdevs that a change is about to make or to free. Raises ConflictError (a name taken, a netdev
        in use or with addresses), MissingError, InvalidValueError.
        """

    def make(self, spec: LinkSpec, below: Below, mark: str, mac: str | None) -> None:
        """Make the link completely, or nothing. mac: its own address, None for the kernel's choice."""

    def change(self, old: LinkSpec, new: LinkSpec, below: Below, mark: str, mac: str | None) -> None:
        """Change the link in place to what `new` says. Raises NotFoundError when it is gone."""

    def find(self, spec: LinkSpec, mark: str, sight: NetdevInventory | None = None) -> LinkState | None:
        """The link as it is now; None when it is not there. sight: a look that others share; None is one of its own."""

    def lacking(self, spec: LinkSpec, ifnames: Iterable[str], sight: NetdevInventory) -> frozenset[str]:
        """The names of netdevs beneath that do not exist."""

    def remove(self, spec: LinkSpec, mark: str) -> None:
        """Remove the link. It is no error when it is gone."""


@runtime_checkable
class Relays(Protocol):
    """Additional methods of a LinkBackend whose links are carried by processes of its own."""

    def workers(self) -> dict[int, bool]:
        """Every worker's pid (0: unknown), and whether it answers. Takes some seconds when one does not."""

    def replace_old(self, marks: Collection[str]) -> list[L2tpError]:
        """Replace old workers that carry links with these marks; see HasWorkers.replace_old."""

    def ask_all_again(self) -> None:
        """Have the next call ask workers that did not answer a moment ago as well; see HasWorkers.ask_all_again."""


class LinkBackends:
    """The backends of all types on one host. runtime: its run-time directory."""

    def __init__(self, runtime: Path) -> None:
        self._runtime = runtime
        self._made: dict[str, LinkBackend] = {}

    def __call__(self, spec: LinkSpec) -> LinkBackend:
        """The backend of that type, which is imported when it is first needed."""
        name = {LinkType.PORT: "port", LinkType.VNIC: "vnic"}.get(spec.type, "netdev")
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> LinkBackend:
        if name == "port":
            from l2tpv3.links.backends.port import PortBackend

            return PortBackend()
        if name == "vnic":
            from l2tpv3.links.backends.vnic import VnicBackend

            return VnicBackend(self._runtime)
        from l2tpv3.links.backends.netdev import NetdevBackend

        return NetdevBackend()
