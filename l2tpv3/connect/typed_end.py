"""An end without l2tpctl: the commands of `ip` and `wg` that make it are typed there, by a shell over ssh."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address
from typing import Final

from l2tpv3.connect import typed_script
from l2tpv3.connect.end import EndFacts
from l2tpv3.connect.mark import mark_of
from l2tpv3.connect.typed_commands import Place, Typed, place_of, typed_commands
from l2tpv3.errors import (
    ConflictError,
    NotFoundError,
    NotPermittedError,
    RefusedError,
    UnavailableError,
    UnreachableError,
)
from l2tpv3.linux.udp_ports import ports_in
from l2tpv3.model.desired import DesiredTunnel
from l2tpv3.model.progress import StepText
from l2tpv3.remote.ssh import LastBytes, SshCommand
from l2tpv3.remote.ssh_failure import SAID_MAX, broken_off, unanswered
from l2tpv3.remote.ssh_target import Target
from l2tpv3.value_class import value_class

OUTPUT_MAX: Final = 16 << 20
"""Bytes that an end prints for one script at most."""

_ERRORS_MAX: Final = 1 << 16
_SESSION = re.compile(r"^Session (\d+) in tunnel (\d+)$")
_NETDEV = re.compile(r"^\d+: ([^:@]+)[:@]", re.MULTILINE)
_MTU, _MAC = re.compile(r" mtu (\d+) "), re.compile(r" link/ether ([0-9a-f:]{17}) ")
_INET6 = re.compile(r" inet6 ([0-9a-f:]+)/")


@value_class(frozen=True, slots=True, kw_only=True)
class Answering:
    """What answers frames of a test at such an end. mtu: of the session's netdev, in bytes.

    mac, address: of the netdev that has the addresses, which is the session's, or the bridge that it is in.
    """

    mtu: int
    mac: bytes
    address: IPv6Address


class TypedEnd:
    """An end at `target`, which runs a shell. title: what messages call it. place: where it is, once that is known."""

    def __init__(self, target: Target, title: str, place: Place | None = None) -> None:
        self.target, self._title, self._place = target, title, place
        self.wanted: DesiredTunnel | None = None
        self._netdevs: frozenset[str] = frozenset()
        self._has_wg = False
        self._answers_within_s: float | None = None

    @property
    def title(self) -> str:
        """The name of this end in messages: `at HOST`."""
        return self._title

    @property
    def place(self) -> Place:
        """Where the end is, or is going to be."""
        if self._place is None:
            self._place = place_of(self._tunnel, self._netdevs)
        return self._place

    @property
    def mark(self) -> str:
        """The mark of the tunnel that this end is to get, see CommandEnd.mark. Its session has the netdev's name."""
        words = self._tunnel.sessions[0].words
        return mark_of([(self.place.ifname, words["tx-cookie"], words["rx-cookie"])])

    def facts(self) -> EndFacts:
        """See End. Raises UnavailableError without `ip` or the kernel's L2TP, NotPermittedError without root."""
        status, text, said = self._run(typed_script.facts())
        parts = dict(part.split("\n", 1) for part in text.split(typed_script.SECTION)[1:] if "\n" in part)
        try:
            self._check(parts)
            ssh = parts["ssh"].split()
            self._netdevs = frozenset(_NETDEV.findall(parts["netdevs"]))
            self._has_wg = any(line.endswith("/wg") for line in parts["programs"].splitlines())
            return EndFacts(
                tunnels=frozenset(),
                tunnel_ids=frozenset(map(int, re.findall(r"^Tunnel (\d+),", parts["tunnels"], re.MULTILINE))),
                session_ids=frozenset(session for session, _ in _sessions(parts["sessions"])),
                ports=frozenset(ports_in(parts["ports"])),
                unconfirmed=False,
                ssh_addresses=(_address(ssh[0]), _address(ssh[2])) if len(ssh) == 4 else None,
            )
        except (KeyError, ValueError, IndexError) as error:
            said = _last_line(said) or f"status {status}"
            raise UnreachableError(self._title, f"its shell answers what can't be read ({said})") from error

    def _check(self, parts: dict[str, str]) -> None:
        if not any(line.endswith("/ip") for line in parts["programs"].splitlines()):
            raise UnavailableError(self._title, "there is no `ip`", "install iproute2 there")
        if parts["user"].strip() != "0":
            remedy = "give ssh://root@HOST, or ssh://HOST?sudo"
            raise NotPermittedError(self._title, "the user there is not root", remedy)
        lines = parts["tunnels"].splitlines()
        if lines and lines[-1] == typed_script.FAILED:
            problem = f"`ip l2tp` can't be used: {'; '.join(lines[:-1])[:SAID_MAX]}"
            raise UnavailableError(self._title, problem, "`modprobe l2tp_eth` there has to work")

    def plan(self) -> list[StepText]:
        """See End. Raises InvalidValueError for what `ip` and `wg` have no words for."""
        commands = self._commands()
        if self.place.wireguard is not None and not self._has_wg:
            raise UnavailableError(self._title, "there is no `wg`", "install wireguard-tools there")
        return [StepText(sign="+", tunnel=self._tunnel.name, text=f"`{one.text}`") for one in commands]

    def apply(self, confirm_s: float) -> None:
        """See End. Raises RefusedError with the command that failed; what was made before it is taken back."""
        self._answers_within_s = confirm_s
        commands = self._commands()
        status, text, said = self._run(typed_script.apply(self._folder, commands, confirm_s))
        if status == 0:
            return
        failed = re.search(rf"^{typed_script.FAILED} (\d+)$", text, re.MULTILINE)
        number = int(failed[1]) if failed is not None else 0
        what = commands[number - 1].text if 0 < number <= len(commands) else "the first command"
        raise RefusedError(
            f"{self._title}: `{what}`", _last_line(said) or f"failed with status {status}", _remedy(said)
        )

    def confirm(self) -> None:
        """See End."""
        if self._run(typed_script.confirm(self._folder))[0]:
            raise NotFoundError(f"{self._title}: tunnel {self._tunnel.name}", "is there no more")

    def roll_back(self) -> None:
        """See End."""
        status, _, said = self._run(typed_script.roll_back(self._folder, self._commands()))
        if status:
            remedy = "`ip l2tp show session` there shows what is left"
            problem = _last_line(said) or "its commands are still under way"
            raise RefusedError(f"{self._title}: tunnel {self._tunnel.name}", problem, remedy)

    def remove(self, tunnel: str, mark: str) -> None:
        """Remove a tunnel with its session, if it is the one that has that mark. tunnel: what this host calls it.

        Raises NotFoundError where it is gone, ConflictError where another one is in its place.
        """
        status, text, said = self._run(typed_script.sessions())
        if status:
            raise RefusedError(f"{self._title}: `ip l2tp show session`", _last_line(said) or f"status {status}")
        place = self.place
        found = _sessions(text).get((place.session_id, place.tunnel_id))
        if found is None and self._run(typed_script.remove_wireguard(place))[0]:
            raise NotFoundError(f"{self._title}: tunnel {tunnel}", "is there no more")
        if found is None:
            return
        if mark_of([found]) != mark:
            problem = f"session {place.session_id} in tunnel {place.tunnel_id} there is another one; so it stays"
            raise ConflictError(f"{self._title}: tunnel {tunnel}", problem, "`ip l2tp del` there removes it")
        status, _, said = self._run(typed_script.remove(place))
        if status:
            raise RefusedError(f"{self._title}: tunnel {tunnel}", _last_line(said) or f"status {status}")

    def answering(self) -> Answering:
        """What answers frames of a test there. Raises RefusedError where nothing does."""
        bridge = self._tunnel.sessions[0].words.get("bridge")
        _, text, _ = self._run(typed_script.look(self.place.ifname, bridge or self.place.ifname))
        netdevs = [line for line in text.splitlines() if " mtu " in line]
        mac, address = _MAC.search(netdevs[-1] if netdevs else ""), _INET6.search(text)
        if len(netdevs) != 2 or mac is None:
            raise RefusedError(f"{self._title}: netdev {self.place.ifname}", "is not there, or can't be read")
        if address is None:
            problem = "has no link-local IPv6 address there, which would answer frames of a test"
            remedy = "`sysctl -w net.ipv6.conf.default.disable_ipv6=0` there gives new netdevs one"
            raise RefusedError(f"{self._title}: netdev {bridge or self.place.ifname}", problem, remedy)
        mtu = _MTU.search(netdevs[0])
        return Answering(
            mtu=int(mtu[1]) if mtu is not None else 0,
            mac=bytes.fromhex(mac[1].replace(":", "")),
            address=IPv6Address(address[1]),
        )

    @property
    def _tunnel(self) -> DesiredTunnel:
        assert self.wanted is not None
        return self.wanted

    @property
    def _folder(self) -> str:
        return self.mark[:16]

    def _commands(self) -> Sequence[Typed]:
        return typed_commands(self._tunnel, self.place)

    def _run(self, script: str) -> tuple[int, str, str]:
        """Run a script there: its exit status, what it printed, and what was said on its standard error.

        Raises L2tpError where no shell answers, UnreachableError where ssh was cut off.
        """
        errors = LastBytes(_ERRORS_MAX)
        with SshCommand(self.target, stdout=subprocess.PIPE) as running:
            if self._answers_within_s is not None:
                running.give_up_after(self._answers_within_s)
            running.feed(script.encode())
            text = running.output(errors, OUTPUT_MAX).decode("utf-8", "replace")
            status = running.status_of_ssh()
        said = errors.kept.decode("utf-8", "replace")
        greeting, _, rest = text.partition("\n")
        if status < 0 or (status == 255 and greeting == typed_script.GREETING):
            raise broken_off(self.target)
        if greeting != typed_script.GREETING:
            raise unanswered(self.target, status, said.splitlines())
        return status, rest, said


def _sessions(text: str) -> dict[tuple[int, int], tuple[str, bytes, bytes]]:
    """The sessions that `ip l2tp show session` prints: by their id and their tunnel's, the netdev and both cookies.

    Raises ValueError for what it does not print.
    """
    found: dict[tuple[int, int], tuple[str, bytes, bytes]] = {}
    key: tuple[int, int] | None = None
    for line in text.splitlines():
        begins = _SESSION.match(line)
        if begins is not None:
            key = int(begins[1]), int(begins[2])
            found[key] = "", b"", b""
        elif key is not None:
            name, tx, rx = found[key]
            name = line.partition("interface name: ")[2] or name
            cookies = {which: bytes.fromhex(value) for which, value in re.findall(r" (peer )?cookie ([0-9a-f]+)", line)}
            found[key] = name, cookies.get("", tx), cookies.get("peer ", rx)
    return found


def _address(text: str) -> str:
    return str(ip_address(text.partition("%")[0]))


def _last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][:SAID_MAX] if lines else ""


def _remedy(said: str) -> str:
    if "Unknown device type" in said:
        return "its kernel has no WireGuard: `modprobe wireguard` there has to work"
    return ""
