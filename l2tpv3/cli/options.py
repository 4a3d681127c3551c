"""The options and arguments, with help and completion; each value stays the text that was typed."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from l2tpv3.cli import completion

TunnelName = Annotated[
    str, typer.Argument(metavar="TUNNEL", help="The tunnel's name.", autocompletion=completion.tunnels)
]
TunnelNames = Annotated[
    list[str], typer.Argument(metavar="TUNNEL...", help="The tunnels' names.", autocompletion=completion.tunnels)
]
NewTunnel = Annotated[str, typer.Argument(metavar="NAME", help="A name for the tunnel, of your choice.")]
NewSession = Annotated[str, typer.Argument(metavar="NAME", help="A name for the session, unique in its tunnel.")]
SessionName = Annotated[
    str, typer.Argument(metavar="NAME", help="The session's name.", autocompletion=completion.sessions)
]
SessionNames = Annotated[
    list[str], typer.Argument(metavar="NAME...", help="The sessions' names.", autocompletion=completion.sessions)
]
AnyTunnel = Annotated[
    str | None,
    typer.Argument(
        metavar="TUNNEL", help="Only this tunnel; a pattern such as 'site*' does.", autocompletion=completion.tunnels
    ),
]
AnySession = Annotated[
    str | None,
    typer.Argument(
        metavar="NAME", help="Only this session; a pattern such as 'l*' does.", autocompletion=completion.sessions
    ),
]

_REMOTE: dict[str, Any] = {"metavar": "ADDR", "help": "The peer's IPv4 or IPv6 address."}
Remote = Annotated[str, typer.Option("--remote", **_REMOTE)]
MaybeRemote = Annotated[str | None, typer.Option("--remote", **_REMOTE)]
Local = Annotated[
    str | None,
    typer.Option("--local", metavar="ADDR", help="This end's address. [default: that of the route to the peer]"),
]
Encap = Annotated[
    str | None,
    typer.Option(
        "--encap",
        metavar="udp|ip",
        help="Over UDP, or over IP protocol 115. [default: udp]",
        autocompletion=completion.choice("udp", "ip"),
    ),
]
Id = Annotated[str | None, typer.Option("--id", metavar="N", help="This end's id. [default: the lowest free]")]
PeerId = Annotated[str | None, typer.Option("--peer-id", metavar="N", help="The peer's id. [default: as --id]")]
LocalPort = Annotated[
    str | None,
    typer.Option("--local-port", metavar="N", help="This end's UDP port. [default: the lowest free from 1701]"),
]
RemotePort = Annotated[
    str | None, typer.Option("--remote-port", metavar="N", help="The peer's UDP port. [default: 1701]")
]
UdpChecksum = Annotated[
    str | None,
    typer.Option(
        "--udp-checksum",
        metavar="on|off",
        help="UDP checksums. [default: on; off with --datapath ebpf over IPv4]",
        autocompletion=completion.choice("on", "off"),
    ),
]
Datapath = Annotated[
    str | None,
    typer.Option(
        "--datapath",
        metavar="auto|kernel|user|ebpf",
        help="Who moves the frames; auto is kernel where it works, else user; never ebpf. [default: auto]",
        autocompletion=completion.choice("auto", "kernel", "user", "ebpf"),
    ),
]
TunnelNetns = Annotated[
    str | None,
    typer.Option(
        "--netns",
        metavar="NETNS",
        help="Network namespace of the addresses. [default: the present one]",
        autocompletion=completion.netns,
    ),
]
Transient = Annotated[bool, typer.Option("--transient", help="Not to be restored after a reboot.")]

Ifname = Annotated[
    str | None,
    typer.Option("--ifname", metavar="IF", help="The netdev's name. [default: the lowest free l2tpethN]"),
]
TxCookie = Annotated[
    str | None,
    typer.Option(
        "--tx-cookie",
        metavar="HEX|none",
        help="Cookie that is sent: 8 or 16 hex digits, none, or @FILE. [default: 64 random bits]",
        autocompletion=completion.choice("none"),
    ),
]
RxCookie = Annotated[
    str | None,
    typer.Option(
        "--rx-cookie",
        metavar="HEX|none",
        help="Cookie that is expected: as for --tx-cookie. [default: 64 random bits]",
        autocompletion=completion.choice("none"),
    ),
]
Sublayer = Annotated[
    str | None,
    typer.Option(
        "--sublayer",
        metavar="default|none",
        help="The 4-byte L2-specific sublayer; both ends must agree. [default: default]",
        autocompletion=completion.choice("default", "none"),
    ),
]
Sequencing = Annotated[
    str | None,
    typer.Option(
        "--sequencing",
        metavar="none|send|recv|both",
        help="Number the packets sent, require numbers on those received. [default: none]",
        autocompletion=completion.choice("none", "send", "recv", "both"),
    ),
]
ReorderTimeout = Annotated[
    str | None,
    typer.Option(
        "--reorder-timeout-ms", metavar="N", help="Wait so long for a packet that is late. [default: 0, drop it]"
    ),
]
Vlan = Annotated[
    str | None,
    typer.Option(
        "--vlan",
        metavar="VID|none",
        help="Carry one VLAN, with this number at this end (RFC 4719). [default: none, every frame as it is]",
        autocompletion=completion.choice("none"),
    ),
]
Egress = Annotated[
    str | None,
    typer.Option(
        "--egress",
        metavar="remove|rewrite",
        help="With --vlan, the tag of what comes in: taken off, or given this end's number. [default: remove]",
        autocompletion=completion.choice("remove", "rewrite"),
    ),
]
Mtu = Annotated[
    str | None,
    typer.Option(
        "--mtu",
        metavar="auto|N",
        help="The netdev's MTU in bytes; auto fits the route. [default: auto]",
        autocompletion=completion.choice("auto"),
    ),
]
Mac = Annotated[
    str | None, typer.Option("--mac", metavar="MAC", help="The netdev's MAC address. [default: random, and then kept]")
]
SessionNetns = Annotated[
    str | None,
    typer.Option(
        "--netns",
        metavar="NETNS",
        help="Network namespace for the netdev; it is made if need be. [default: the tunnel's]",
        autocompletion=completion.netns,
    ),
]
Address = Annotated[
    list[str] | None,
    typer.Option("--address", metavar="CIDR", help="An address of the netdev; may be repeated."),
]
Bridge = Annotated[
    str | None,
    typer.Option(
        "--bridge", metavar="BRIDGE", help="Make the netdev a port of this bridge.", autocompletion=completion.bridges
    ),
]
Up = Annotated[bool | None, typer.Option("--up/--down", help="Set the netdev up or down. [default: up]")]

Json = Annotated[bool, typer.Option("--json", "-j", help="Print JSON.")]
ShowSecrets = Annotated[bool, typer.Option("--show-secrets", help="Print cookies in clear.")]


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
