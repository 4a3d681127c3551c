"""The options and arguments, with help and completion; each value stays the text that was typed."""

from __future__ import annotations

from typing import Annotated, Any

from l2tpv3.cli import completion
from l2tpv3.cli.parameters import Argument, Option

TunnelName = Annotated[str, Argument(metavar="TUNNEL", help="The tunnel's name.", complete=completion.tunnels)]
TunnelNames = Annotated[
    list[str], Argument(metavar="TUNNEL...", help="The tunnels' names.", complete=completion.tunnels)
]
NewTunnel = Annotated[str, Argument(metavar="NAME", help="A name for the tunnel, of your choice.")]
NewSession = Annotated[str, Argument(metavar="NAME", help="A name for the session, unique in its tunnel.")]
SessionName = Annotated[str, Argument(metavar="NAME", help="The session's name.", complete=completion.sessions)]
SessionNames = Annotated[
    list[str], Argument(metavar="NAME...", help="The sessions' names.", complete=completion.sessions)
]
AnyTunnel = Annotated[
    str | None,
    Argument(metavar="TUNNEL", help="Only this tunnel; a pattern such as 'site*' does.", complete=completion.tunnels),
]
AnySession = Annotated[
    str | None,
    Argument(metavar="NAME", help="Only this session; a pattern such as 'l*' does.", complete=completion.sessions),
]

_REMOTE: dict[str, Any] = {"metavar": "ADDR", "help": "The peer's IPv4 or IPv6 address."}
Remote = Annotated[str, Option("--remote", **_REMOTE)]
MaybeRemote = Annotated[str | None, Option("--remote", **_REMOTE)]
Local = Annotated[
    str | None,
    Option("--local", metavar="ADDR", help="This end's address. [default: that of the route to the peer]"),
]
Encap = Annotated[
    str | None,
    Option(
        "--encap",
        metavar="udp|ip",
        help="Over UDP, or over IP protocol 115. [default: udp]",
        complete=completion.choice("udp", "ip"),
    ),
]
Id = Annotated[str | None, Option("--id", metavar="N", help="This end's id. [default: the lowest free]")]
PeerId = Annotated[str | None, Option("--peer-id", metavar="N", help="The peer's id. [default: as --id]")]
LocalPort = Annotated[
    str | None,
    Option("--local-port", metavar="N", help="This end's UDP port. [default: the lowest free from 1701]"),
]
RemotePort = Annotated[str | None, Option("--remote-port", metavar="N", help="The peer's UDP port. [default: 1701]")]
UdpChecksum = Annotated[
    str | None,
    Option(
        "--udp-checksum",
        metavar="on|off",
        help="UDP checksums. [default: on; off with --datapath ebpf over IPv4]",
        complete=completion.choice("on", "off"),
    ),
]
Datapath = Annotated[
    str | None,
    Option(
        "--datapath",
        metavar="auto|kernel|user|ebpf",
        help="Who moves the frames; auto is kernel where it works, else user; never ebpf. [default: auto]",
        complete=completion.choice("auto", "kernel", "user", "ebpf"),
    ),
]
TunnelNetns = Annotated[
    str | None,
    Option(
        "--netns",
        metavar="NETNS",
        help="Network namespace of the addresses. [default: the present one]",
        complete=completion.netns,
    ),
]
Transient = Annotated[bool, Option("--transient", help="Not to be restored after a reboot.")]

Ifname = Annotated[
    str | None,
    Option("--ifname", metavar="IF", help="The netdev's name. [default: the lowest free l2tpethN]"),
]
TxCookie = Annotated[
    str | None,
    Option(
        "--tx-cookie",
        metavar="HEX|none",
        help="Cookie that is sent: 8 or 16 hex digits, none, or @FILE. [default: 64 random bits]",
        complete=completion.choice("none"),
    ),
]
RxCookie = Annotated[
    str | None,
    Option(
        "--rx-cookie",
        metavar="HEX|none",
        help="Cookie that is expected: as for --tx-cookie. [default: 64 random bits]",
        complete=completion.choice("none"),
    ),
]
Sublayer = Annotated[
    str | None,
    Option(
        "--sublayer",
        metavar="default|none",
        help="The 4-byte L2-specific sublayer; both ends must agree. [default: default]",
        complete=completion.choice("default", "none"),
    ),
]
Sequencing = Annotated[
    str | None,
    Option(
        "--sequencing",
        metavar="none|send|recv|both",
        help="Number the packets sent, require numbers on those received. [default: none]",
        complete=completion.choice("none", "send", "recv", "both"),
    ),
]
ReorderTimeout = Annotated[
    str | None,
    Option("--reorder-timeout-ms", metavar="N", help="Wait so long for a packet that is late. [default: 0, drop it]"),
]
Vlan = Annotated[
    str | None,
    Option(
        "--vlan",
        metavar="VID|none",
        help="Carry one VLAN, with this number at this end (RFC 4719). [default: none, every frame as it is]",
        complete=completion.choice("none"),
    ),
]
Egress = Annotated[
    str | None,
    Option(
        "--egress",
        metavar="remove|rewrite",
        help="With --vlan, the tag of what comes in: taken off, or given this end's number. [default: remove]",
        complete=completion.choice("remove", "rewrite"),
    ),
]
Mtu = Annotated[
    str | None,
    Option(
        "--mtu",
        metavar="auto|N",
        help="The netdev's MTU in bytes; auto fits the route. [default: auto]",
        complete=completion.choice("auto"),
    ),
]
Mac = Annotated[
    str | None, Option("--mac", metavar="MAC", help="The netdev's MAC address. [default: random, and then kept]")
]
SessionNetns = Annotated[
    str | None,
    Option(
        "--netns",
        metavar="NETNS",
        help="Network namespace for the netdev; it is made if need be. [default: the tunnel's]",
        complete=completion.netns,
    ),
]
Address = Annotated[
    list[str] | None,
    Option("--address", metavar="CIDR", help="An address of the netdev; may be repeated."),
]
Bridge = Annotated[
    str | None,
    Option("--bridge", metavar="BRIDGE", help="Make the netdev a port of this bridge.", complete=completion.bridges),
]
Up = Annotated[bool | None, Option("--up/--down", help="Set the netdev up or down. [default: up]")]

Json = Annotated[bool, Option("--json", "-j", help="Print JSON.")]
ShowSecrets = Annotated[bool, Option("--show-secrets", help="Print cookies in clear.")]


def given(**options: Any) -> dict[str, Any]:
    """The words that were given, for the manager: option_name=value → "option-name": value.

    A cookie given as @FILE is read here, so that its text never leaves this process.
    """
    words = {name.replace("_", "-"): value for name, value in options.items() if value not in (None, (), [])}
    for word in ("tx-cookie", "rx-cookie"):
        if word in words:
            from l2tpv3.model import ids

            words[word] = ids.read_cookie(words[word], f"--{word}")
    if "address" in words:
        words["address"] = list(words["address"])
    return words


def reset(words: dict[str, Any]) -> dict[str, Any]:
    """For `set`: `none` (for --local and --local-port `auto`) takes an optional word back to its default."""
    for word, unset in (
        ("mac", "none"), ("bridge", "none"), ("netns", "none"), ("vlan", "none"), ("local", "auto"),
        ("local-port", "auto"),
    ):  # fmt: skip
        if words.get(word) == unset:
            words[word] = None
    if words.get("address") == ["none"]:
        words["address"] = []
    return words
