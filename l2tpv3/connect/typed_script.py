"""Scripts for a POSIX shell at an end without l2tpctl: they make it, confirm it, and take it back.

Each script is one function that is called in its last line: what comes only in part does nothing. What was made so far
is noted in a folder of the end, which is there until the change is confirmed or undone:

    /run/l2tpv3-connect-MARK/made.N     the N-th command has been done; the index of the netdev that it made
    .../applied                         none is to come any more
    .../over                            made by whoever confirms or undoes, as only one can make a folder
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Sequence
from typing import Final

from l2tpv3.connect.typed_commands import Place, Typed
from l2tpv3.linux.udp_ports import UDP_LISTS

GREETING: Final = "l2tpv3 typed"
"""The first line that a script prints: so there is a shell."""
FAILED: Final = "failed"
"""Before the number of the command that failed."""
SECTION: Final = "=== "
"""Before the name of each part of what the script of `facts` prints."""

_WAITS_S: Final = 30
"""How long an `apply` that is under way is waited for."""
_END: Final = "l2tpv3-end-of-input"


def script(lines: Iterable[str]) -> str:
    """A script that does this."""
    body = "\n".join(lines)
    return f"typed() {{\nprintf '%s\\n' '{GREETING}'\n{body}\n}}\ntyped \"$1\"\n"


def facts() -> str:
    """Print what is there. Touches nothing, but that the kernel may load its module to answer."""
    parts = {
        "ssh": 'printf "%s\\n" "$1"',
        "user": "id -u",
        "programs": "command -v ip; command -v wg",
        "tunnels": "ip l2tp show tunnel 2>&1 || printf 'failed\\n'",
        "sessions": "ip l2tp show session 2>&1",
        "ports": f"cat {' '.join(UDP_LISTS)} 2>/dev/null",
        "netdevs": "ip -o link show",
    }
    return script([*(f"printf '%s\\n' '{SECTION}{name}'; {command}" for name, command in parts.items()), "return 0"])


def apply(folder: str, typed: Sequence[Typed], confirm_s: float) -> str:
    """Do the commands, in their order; undo them when one fails, or when nobody confirms within that time.

    folder: the last part of the folder's name. Prints which command failed.
    """
    lines = [
        "trap '' HUP INT TERM PIPE",  # when ssh ends, this goes on to its own end
        "umask 077",
        *_undoing(folder, typed),
        'mkdir "$d" || return 1',
        *_expiring(math.ceil(confirm_s)),
    ]
    for number, one in enumerate(typed, 1):
        command = shlex.join(one.words)
        failed = f"{{ : > \"$d/applied\"; mkdir \"$d/over\" && undo; printf '%s\\n' '{FAILED} {number}'; return 1; }}"
        if one.stdin is None:
            lines.append(f"{command} || {failed}")
        else:
            lines += [f"{command} <<'{_END}' || {failed}", one.stdin, _END]
        index = f"index {shlex.quote(one.netdev)}" if one.netdev is not None else ":"
        lines.append(f'{index} > "$d/made.{number}"')
    return script([*lines, ': > "$d/applied"'])


def confirm(folder: str) -> str:
    """Keep what `apply` made. Fails where it was undone."""
    return script([_at(folder), 'mkdir "$d/over" 2>/dev/null || return 1', 'rm -rf "$d"'])


def roll_back(folder: str, typed: Sequence[Typed]) -> str:
    """Undo what `apply` made, once it is not under way any more. Does nothing where it is undone or confirmed."""
    return script([
        *_undoing(folder, typed),
        'n=0; until [ -e "$d/applied" ] || [ ! -d "$d" ]',
        f"do [ $n -lt {_WAITS_S} ] || return 1; sleep 1; n=$((n+1)); done",
        'mkdir "$d/over" 2>/dev/null || return 0',
        "undo",
    ])  # fmt: skip


def remove(place: Place) -> str:
    """Take away a tunnel that is known to be ours, and its WireGuard netdev if that still has our key."""
    tunnel = f"tunnel_id {place.tunnel_id}"
    return script([
        f"bad=0; ip l2tp del session {tunnel} session_id {place.session_id} || bad=1",
        f"{_has_sessions(place.tunnel_id)} || ip l2tp del tunnel {tunnel} || bad=1",
        *([] if place.wireguard is None else [f"if {_is_ours(place)}; then {_del(place)} || bad=1; fi"]),
        "return $bad",
    ])  # fmt: skip


def remove_wireguard(place: Place) -> str:
    """Take away the WireGuard netdev of a tunnel that is gone, if it still has our key; else fail."""
    return script([f"{_is_ours(place)} && {_del(place)}" if place.wireguard is not None else "return 1"])


def look(ifname: str, addressed: str) -> str:
    """Print the MTU of a netdev, and the link-local address and MAC address of the one that has addresses."""
    netdev, other = shlex.quote(ifname), shlex.quote(addressed)
    lines = [f"ip -o link show dev {netdev}", f"ip -o link show dev {other}"]
    return script([*lines, f"ip -o -6 address show dev {other} scope link"])


def sessions() -> str:
    """Print the sessions that are there."""
    return script(["ip l2tp show session"])


def _at(folder: str) -> str:
    return f"d=/run/l2tpv3-connect-{shlex.quote(folder)}"


def _undoing(folder: str, typed: Sequence[Typed]) -> list[str]:
    """Functions: `undo` takes away what was made, the last thing first, and nothing that was made anew by others."""
    lines = [_at(folder), 'index() { ip -o link show dev "$1" 2>/dev/null | cut -d: -f1; }', "undo() {", "bad=0"]
    for number, one in reversed(list(enumerate(typed, 1))):
        if not one.undo:
            continue
        test = f'[ -e "$d/made.{number}" ]'
        if one.netdev is not None:
            test += f' && [ "$(index {shlex.quote(one.netdev)})" = "$(cat "$d/made.{number}")" ]'
        else:
            test += f" && ! {_has_sessions(int(one.undo[-1]))}"
        lines.append(f"if {test}; then {shlex.join(one.undo)} || bad=1; fi")
    return [*lines, 'rm -rf "$d"', "return $bad", "}"]


def _has_sessions(tunnel_id: int) -> str:
    """A command that succeeds where a tunnel has sessions: deleting it would take them along."""
    return f"ip l2tp show session | grep -q 'in tunnel {tunnel_id}$'"


def _is_ours(place: Place) -> str:
    """A command that succeeds where the WireGuard netdev has the key that it was given."""
    shown = f"wg show {shlex.quote(place.wireguard or '')} public-key 2>/dev/null"
    return f'[ "$({shown})" = {shlex.quote(place.public_key or "")} ]'


def _del(place: Place) -> str:
    return f"ip link del dev {shlex.quote(place.wireguard or '')}"


def _expiring(seconds: int) -> list[str]:
    """Undo it when it was not confirmed by then, in a process of its own. It waits for an `apply` that is under way."""
    return [
        "(",
        f'n=0; while [ $n -lt {seconds} ]; do [ -d "$d" ] || exit 0; sleep 1; n=$((n+1)); done',
        f'n=0; until [ -e "$d/applied" ] || [ ! -d "$d" ] || [ $n -ge {_WAITS_S} ]; do sleep 1; n=$((n+1)); done',
        'mkdir "$d/over" && undo',
        ") </dev/null >/dev/null 2>&1 &",
    ]
