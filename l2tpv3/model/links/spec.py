"""LinkSpec: what is desired of a link. It is a frozen value, and checked when it is made."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from l2tpv3.errors import InvalidValueError
from l2tpv3.model import ids
from l2tpv3.model.fields import LINK, LINK_TYPES, NO_NETDEV, by_word
from l2tpv3.model.links.options import TYPES, LinkType, Options, options_type, own_fields, parse_options
from l2tpv3.model.values import IPInterface, check_name, check_words, format_words, formatted, parse_words
from l2tpv3.value_class import value_class


@value_class(frozen=True, slots=True, kw_only=True)
class LinkSpec:
    """One netdev of ours over others. Raises InvalidValueError when made from what can't work.

    over: what it is layered on, in `over_netns` (None: the caller's): a netdev's name, `tunnel/session` or another
    link's name. ifname, netns: its own netdev's name, and where that goes; None is where `over` is. mac: None is one
    derived from this machine and the name, where the type has one of its own. mtu: bytes, None is what is beneath
    allows.
    """

    name: str
    options: Options
    over: tuple[str, ...] = ()
    ifname: str = ""
    over_netns: str | None = None
    netns: str | None = None
    mac: str | None = None
    mtu: int | None = None
    addresses: tuple[IPInterface, ...] = ()
    up: bool = True
    description: str | None = None

    def __post_init__(self) -> None:
        here = f"link {self.name}"
        check_name(self.name, "link name")
        self._check_ifname(here)
        given = {"ifname": self.ifname, "mac": self.mac, "mtu": self.mtu is not None, "address": self.addresses}
        if not self.options.own_netdev and any(given.values()):
            raise InvalidValueError(
                here, "a port has no netdev of its own", "leave --ifname, --mac, --mtu and --address out",
                field=next(word for word, is_given in given.items() if is_given),
            )  # fmt: skip
        fields = [field for field in LINK if self.options.own_netdev or field.word != "ifname"]
        check_words(self, fields, here, TYPES)
        self._check_over(here)
        for member, word in self.options.mentioned():
            if member not in self.over:
                raise InvalidValueError(here, f"{member} is not a member of it", "name it in --over too", field=word)

    def _check_ifname(self, here: str) -> None:
        if not self.options.own_netdev:
            return
        if not self.ifname:
            if len(self.name.encode()) > ids.IFNAME_MAX:
                remedy = f"give a shorter one of {ids.IFNAME_MAX} at most by --ifname"
                raise InvalidValueError(here, "its name is too long for a netdev", remedy)
            object.__setattr__(self, "ifname", self.name)

    def _check_over(self, here: str) -> None:
        def wrong(problem: str, remedy: str) -> InvalidValueError:
            return InvalidValueError(f"{here}: --over", problem, remedy, field="over")

        least, most = self.options.least_over, self.options.most_over
        if len(self.over) < least:
            raise InvalidValueError(
                f"{here}: --over", f"{self.type.with_article} needs what it is over", "name a netdev", field="over"
            )
        if most is not None and len(self.over) > most:
            raise wrong(f"{self.type.with_article} is over {most} only", "name one")
        if len(set(self.over)) < len(self.over):
            raise wrong("names one twice", "name each once")
        if self.name in self.over or self.ifname in self.over:
            raise wrong("it can't be over itself", "name another netdev")

    @property
    def type(self) -> LinkType:
        """The type of the link, which its options tell."""
        return self.options.type

    @property
    def home(self) -> str | None:
        """The network namespace that the link's netdev belongs in."""
        return self.netns if self.netns is not None else self.over_netns

    def to_words(self) -> dict[str, Any]:
        """JSON-ready, by the command line's words; from_words takes it back."""
        common = format_words(self, LINK, TYPES)
        return {"name": self.name, "type": str(self.type), **common, **self.options.to_words()}

    def stated_words(self) -> dict[str, Any]:
        """The words of to_words that a file has to state: without the name, and without words at their default."""
        stated: dict[str, Any] = {"type": str(self.type)}
        for part, fields in ((self, LINK), (self.options, LINK_TYPES[self.type])):
            defaults = {one.name: one.default for one in dataclasses.fields(part)} | {"ifname": self.name}
            for field in fields:
                value = getattr(part, field.attribute)
                if value is not None and value != defaults[field.attribute]:
                    stated[field.word] = formatted(field, value, TYPES)
        return stated

    @classmethod
    def from_words(cls, words: Mapping[str, Any]) -> LinkSpec:
        """The inverse of to_words; what is left out is the default. Raises InvalidValueError."""
        name = words.get("name", "")
        what = f"link {name}".strip()
        try:
            type_ = LinkType(words.get("type", ""))
        except ValueError:
            problem = f"{words['type']!r} is no type of link" if "type" in words else "it needs a type"
            raise InvalidValueError(
                f"{what}: --type", problem, f"give one of {', '.join(LinkType)}", field="type"
            ) from None
        own = own_fields(type_)
        common = {word: value for word, value in words.items() if word in COMMON}
        rest = {word: value for word, value in words.items() if word not in COMMON and word not in ("name", "type")}
        if unknown := sorted(set(rest) - set(own)):
            every = [word for word in COMMON if options_type(type_).own_netdev or word not in (*NO_NETDEV, "up")]
            has = f"{_options(own)} and, as every link, " if own else ""
            remedy = f"it has {has}{_options(every)}"
            problem = f"{type_.with_article} has no such option"
            raise InvalidValueError(f"{what}: --{unknown[0]}", problem, remedy, field=unknown[0])
        return cls(name=name, options=parse_options(type_, rest, what), **parse_words(common, COMMON, what, TYPES))


def _options(words: Iterable[str]) -> str:
    return ", ".join(f"--{word}" for word in words)


def derived_mac(host: str, name: str) -> str:
    """A link's own MAC address: the same at each boot, another on each host, locally administered (IEEE 802c).

    host: any text that no other host has.
    """
    import hashlib

    digest = bytearray(hashlib.sha256(f"l2tpv3 link {host} {name}".encode()).digest()[:6])
    digest[0] = digest[0] & 0xFC | 0x02
    return digest.hex(":")


COMMON = by_word(LINK)
"""The fields that every type has, by the word."""


Below = Mapping[str, str]
"""What a link is over, as LinkSpec.over names it → the netdev's name."""
