"""The protocol of a type of link that is a netdev of the kernel: what to ask rtnetlink for, how to read its answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

from l2tpv3.model.links.options import Options
from l2tpv3.model.links.spec import LinkSpec

Own = TypeVar("Own", bound=Options)

Attributes = dict[str, Any]
"""Attributes by pyroute2's names for IPRoute.link(): in lower case, without IFLA_."""


class Kind(Generic[Own]):
    """One type of link.

    driver: IFLA_INFO_KIND. members_down: what it is over has to be down when it joins. Where that is loose, they are
    its members (IFLA_MASTER), else it lies on it (IFLA_LINK).
    """

    driver: ClassVar[str]
    members_down: ClassVar[bool] = False

    def attributes(self, spec: LinkSpec, options: Own) -> Attributes:
        """The attributes to make the netdev with, and to set when `options` change."""
        return {}

    def made_with(self, spec: LinkSpec, options: Own) -> Attributes:
        """The attributes that can only be given when the netdev is made."""
        return {}

    def reset_with(self, info: Mapping[str, Any], options: Own) -> Attributes:
        """Attributes to set as well when the link is changed, and not when it is made. info: as for `words`."""
        return {}

    def member_attributes(self, options: Own, member: str) -> Attributes:
        """The attributes to set of a member. member: as in LinkSpec.over."""
        return {}

    def words(self, info: Mapping[str, Any]) -> dict[str, Any]:
        """The words of the type whose values the netdev tells. info: IFLA_INFO_DATA, by names as in `attributes`."""
        return {}


def name_of(table: Mapping[Any, int], number: Any) -> str | None:
    """The word that has that number in a table of the kernel's numbers; None if none has."""
    return next((str(name) for name, value in table.items() if value == number), None)
