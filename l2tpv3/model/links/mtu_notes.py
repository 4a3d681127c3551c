"""Notes for a bridge with a port that takes shorter frames than another port."""

from __future__ import annotations

from typing import Final

TAG_BYTES: Final = 4
"""Length of an 802.1Q tag in bytes."""


def frames_too_long(narrow: str, narrow_mtu: int, wide: str, wide_mtu: int, more: str = "") -> str:
    """A note that names both MTUs, in bytes, and a remedy. narrow: a session, TUNNEL/SESSION. more: put behind them."""
    tunnel, _, session = narrow.partition("/")
    return (
        f"{narrow} takes {narrow_mtu} bytes, {wide} {wide_mtu}{more}: larger frames are dropped without notice; "
        f"`l2tpctl session set {tunnel} {session} --mtu {wide_mtu}` at both ends lets them through in IP fragments,"
        " with `--fragment on` too (user datapath) in whole packets"
    )


def tagged_too_long(link: str, mtu: int, session: str, session_mtu: int) -> str:
    """A note that a VLAN's frames with their tag, 4 bytes, are too long for the session that it lies on."""
    tunnel, _, name = session.partition("/")
    room = session_mtu - TAG_BYTES
    return (
        f"its frames have a tag of {TAG_BYTES} bytes: those of more than {room} are too long for {session}, which takes"
        f" {session_mtu} bytes; `l2tpctl link set {link} --mtu {room}`, or `l2tpctl session set {tunnel} {name} --mtu "
        f"{mtu + TAG_BYTES}` at both ends"
    )
