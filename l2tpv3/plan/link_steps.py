"""The steps of a plan that are about links. They are plain values."""

from __future__ import annotations

from l2tpv3.model.links.record import LinkRecord
from l2tpv3.model.links.spec import Below
from l2tpv3.value_class import value_class


@value_class(frozen=True, slots=True, kw_only=True)
class LinkStep:
    """One thing done to one link. link: as wanted (of a removal: as it was). why: when not plain."""

    link: LinkRecord
    why: str = ""


@value_class(frozen=True, slots=True, kw_only=True)
class AddLink(LinkStep):
    """Make the link. below: the netdevs that it is over."""

    below: Below


@value_class(frozen=True, slots=True, kw_only=True)
class DelLink(LinkStep):
    """Remove the link. The netdevs beneath stay."""


@value_class(frozen=True, slots=True, kw_only=True)
class SetLink(LinkStep):
    """Change `words` of the link in place. old: the link before. below: the netdevs that the link is over."""

    old: LinkRecord
    below: Below
    words: tuple[str, ...]
