"""Tunnels, sessions and links as files and requests ask for them, by the words that were given.

Resolving adds the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any

from l2tpv3.model.links.spec import LinkSpec
from l2tpv3.model.source import Source
from l2tpv3.model.spec import Encap, SessionSpec, TunnelSpec, has_udp_checksum
from l2tpv3.value_class import value_class

CHOSEN_TUNNEL_WORDS = frozenset({"id", "private-key", "listen-port", "peer-listen-port"})
"""Words of a tunnel without a fixed default. Where one is left out, a value is chosen when the tunnel is made."""

CHOSEN_SESSION_WORDS = frozenset({"id", "ifname", "tx-cookie", "rx-cookie"})
"""Words of a session that have no fixed default. `peer-id` follows `id` in both."""


@value_class(frozen=True, slots=True, kw_only=True)
class DesiredSession:
    """A session as a file wants it.

    words: by SessionSpec.to_words' keys without `name`, as `session_attributes` takes them; those that a file gave are
    in to_words' form, cookies as bytes. source: where it is written; None when it comes from no file.
    """

    name: str
    words: Mapping[str, Any] = field(default_factory=dict, repr=False)  # cookies are secret
    source: Source | None = field(default=None, compare=False, repr=False)

    @classmethod
    def from_spec(cls, spec: SessionSpec) -> DesiredSession:
        """The session that has this spec. Words at their fixed default are left out, except the sublayer.

        Raises InvalidValueError as SessionSpec does.
        """
        words = {**spec.to_words(), "tx-cookie": spec.tx_cookie, "rx-cookie": spec.rx_cookie}
        default = SessionSpec(name=spec.name, ifname=spec.ifname).to_words()
        always = CHOSEN_SESSION_WORDS | {"peer-id", "sublayer"}
        return cls(name=spec.name, words=_stated(words, default, always))


@value_class(frozen=True, slots=True, kw_only=True)
class DesiredTunnel:
    """A tunnel as a file wants it. words: by TunnelSpec.to_words' keys without `name`; see DesiredSession."""

    name: str
    words: Mapping[str, Any] = field(default_factory=dict, repr=False)  # a private key is secret
    sessions: tuple[DesiredSession, ...] = ()
    source: Source | None = field(default=None, compare=False, repr=False)

    @classmethod
    def from_specs(cls, spec: TunnelSpec, sessions: Iterable[SessionSpec] = ()) -> DesiredTunnel:
        """The tunnel and sessions that have these specs.

        Words at their fixed default are left out; ends, ids and ports stay.
        Raises InvalidValueError as TunnelSpec does.
        """
        checksum = has_udp_checksum(spec.datapath, spec.ip_version)
        default = TunnelSpec(name=spec.name, remote=spec.remote, udp_checksum=checksum).to_words()
        always = CHOSEN_TUNNEL_WORDS | {"remote", "encap", "peer-id"}
        if spec.encap is Encap.UDP:
            always |= {"local-port", "remote-port"}
        words = _stated(spec.to_words(), default, always)
        if spec.remote_name is not None:  # its address is no wish, and another one tomorrow
            words["remote"] = words.pop("remote-name")
        return cls(
            name=spec.name,
            words=words,
            sessions=tuple(DesiredSession.from_spec(session) for session in sessions),
        )


@value_class(frozen=True, slots=True, kw_only=True)
class DesiredLink:
    """A link as a file wants it. words: by LinkSpec.to_words' keys without `name`, `type` among them."""

    name: str
    words: Mapping[str, Any] = field(default_factory=dict)
    source: Source | None = field(default=None, compare=False, repr=False)

    @classmethod
    def from_spec(cls, spec: LinkSpec) -> DesiredLink:
        """The link that has this spec. Words at their default are left out."""
        return cls(name=spec.name, words=spec.stated_words())


Desired = DesiredTunnel | DesiredLink


def _stated(words: Mapping[str, Any], default: Mapping[str, Any], always: Iterable[str]) -> dict[str, Any]:
    return {
        word: value
        for word, value in words.items()
        if word != "name" and value is not None and (word in always or value != default[word])
    }
