"""What fits through a tunnel, as it was found."""

from __future__ import annotations

from l2tpv3.value_class import value_class


@value_class(frozen=True, slots=True, kw_only=True)
class SessionFit:
    """What fits through one session. Sizes in bytes.

    mtu: that of its netdev now; None where it is not known. parts: each header around a frame's payload, from the
    outside in, with its name. fits: the longest payload of a frame that goes in one packet over this path, as far as
    the path is known. full_packets: the number of outer packets that a frame of full size takes; 1 where it fits.
    in_fragments: whether these packets would be IP fragments on the wire. clamp_mss: whether the session has it.
    """

    name: str
    mtu: int | None
    parts: tuple[tuple[str, int], ...]
    fits: int
    full_packets: int
    in_fragments: bool
    clamp_mss: bool

    @property
    def overhead(self) -> int:
        """The bytes of all parts together."""
        return sum(size for _, size in self.parts)


@value_class(frozen=True, slots=True, kw_only=True)
class PathMtu:
    """The path of a tunnel. Sizes in bytes.

    route: what the route takes. path: the longest packet that the peer answered an echo request of; None where it was
    not asked, or answered none at all. probed: whether it was asked.
    """

    tunnel: str
    remote: str
    route: int
    path: int | None
    probed: bool
    sessions: tuple[SessionFit, ...]
