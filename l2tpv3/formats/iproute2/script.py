"""Scripts, their traces and `ip -batch` files with `ip l2tp` commands, in, with what they do to the sessions' netdevs.

A script is not run: what depends on variables is an error, conditions are taken to be true, loops to run once; `ip
l2tp del` undoes what was added above it. What `sh -x` printed is taken as well. /etc/network/interfaces and systemd's
units are translated to commands first. Grammar: command.py for `ip l2tp`, netdev.py for the rest.
"""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from l2tpv3.errors import InvalidValueError
from l2tpv3.formats.draft import Draft, Place, Warnings, name_from, quoted
from l2tpv3.formats.iproute2.command import TUNNEL_ID_WORDS, Request, parse, session_words, tunnel_words
from l2tpv3.formats.iproute2.interfaces_file import interfaces_lines, is_interfaces
from l2tpv3.formats.iproute2.netdev import Netdevs
from l2tpv3.formats.iproute2.shell_conditions import Conditions, Standing
from l2tpv3.formats.iproute2.unit_file import is_unit, unit_lines
from l2tpv3.formats.lines import logical_lines
from l2tpv3.model.ids import free_ifname

_SEPARATORS = set("();<>|&")
_LEADING = {
    *("sudo", "doas", "exec", "command", "time"),
    *("if", "then", "else", "elif", "while", "until", "do", "!", "{", "}"),
}
_TALKERS = {
    *("modprobe", "rmmod", "lsmod", "insmod", "depmod"),
    *("echo", "printf", "logger", "grep", "man", "which", "type"),
}
_SHELLS = {"sh", "bash", "dash", "ash", "busybox"}
_FLAGS_WITH_VALUE = ("-f", "-family", "-l", "-loops", "-rc", "-rcvbuf")
_VARIABLE = re.compile(r"[$`]")
_DESCRIPTOR = re.compile(r"(?<!\S)[0-9]+(?=[<>])")  # of `2>file`, which would be taken for a word
_TRACE = re.compile(r"\++ ")  # what `sh -x` puts before each command that it runs ($PS4)
_IN_WORD = re.compile(r"[./:=,@]")  # what stands around a netdev's name in net.ipv4.conf.NAME.forwarding and the like


def read(texts: list[tuple[Path, str]], complaints: Warnings) -> list[Draft]:
    """The tunnels of the files, named tID, with sessions sID, and the bridges that they make."""
    script = Script(complaints)
    for file, text in texts:
        for place, line in _lines(file, text, complaints):
            script.run(line, place)
    return script.finished()


def _lines(file: Path, text: str, complaints: Warnings) -> Iterator[tuple[Place, str]]:
    """The commands of a file, a line each, in the order in which they run."""
    if is_interfaces(text):
        return interfaces_lines(file, text, complaints)
    if is_unit(text):
        return unit_lines(file, text)
    return ((place, _TRACE.sub("", line, count=1) if _TRACE.match(line) else line) for place, line in
            logical_lines(file, text))  # fmt: skip


def _commands(line: str, place: Place, complaints: Warnings) -> list[tuple[str, list[str]]]:
    """The commands of a line as words, each with what separates it from the one before.

    What a quote goes on in the next line of is of interest only with l2tp in it.
    """
    lexer = shlex.shlex(_DESCRIPTOR.sub("", line), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:
        if "l2tp" in line:
            complaints.add(place, "a quote is not closed on this line", "write the command on one line")
        return []
    commands: list[tuple[str, list[str]]] = [("", [])]
    for word in words:
        if word and set(word) <= _SEPARATORS:
            commands.append((word, []))
        else:
            commands[-1][1].append(word)
    return commands


class Script:
    """The tunnels, sessions and bridges that a script has made so far."""

    def __init__(self, complaints: Warnings) -> None:
        self.complaints = complaints
        self.netdevs = Netdevs(complaints)
        self._tunnels: dict[tuple[str | None, int], Draft] = {}
        self._broken: set[tuple[str | None, int | None]] = set()
        self._unsure: list[tuple[Place, str]] = []
        self._left_out: list[tuple[Place, list[str]]] = []
        self._conditional: list[tuple[Place, list[str]]] = []
        self._conditions = Conditions()
        self._names: set[str] = set()

    def finished(self) -> list[Draft]:
        """All tunnels and bridges, once all commands were taken."""
        if self._tunnels:
            for place, word in self._unsure:
                self._complain_of_variable(word, place)
        self._warn_of_left_out()
        tunnels = list(self._tunnels.values())
        return [*tunnels, *self.netdevs.bridges.finished(tunnels, self.netdevs.sessions)]

    def _warn_of_left_out(self) -> None:
        """Say which commands do something to our netdevs, or to bridges over them, that is not taken over."""
        names = self._names | (self.netdevs.bridges.names() if self._tunnels else set())
        for place, words in self._left_out:
            if _names_one(words, names):
                command = " ".join(words)
                self.complaints.warn(place, f"{quoted(command)} is not imported", "set it by other means")
        for place in dict.fromkeys(place for place, words in self._conditional if _names_one(words, {*names, "l2tp"})):
            remedy = "take the line out where it is not"
            self.complaints.warn(place, "this stands under a condition, which is taken to be true", remedy)

    def run(self, line: str, place: Place) -> None:
        """The commands of a line."""
        commands = _commands(line, place, self.complaints)
        for (separator, words), (following, _) in itertools.zip_longest(commands, commands[1:], fillvalue=("", [])):
            if not words:
                continue
            if following == ")":
                self._conditions.pattern(words[-1])
            standing = self._conditions.take(separator, words)
            if standing is Standing.NEVER:
                continue
            if standing is Standing.CONDITION:
                self._conditional.append((place, words))
            self.take(words, place)

    def take(self, words: list[str], place: Place) -> None:
        """Carry out one command of the script on what it has made so far."""
        while words and words[0] in _LEADING:
            words = words[1:]
        told = _ip_words(words)
        if told is None:
            self._other(words, place)
            return
        netns, words = told
        kind = words[0] if words else ""
        if len(kind) > 1 and "l2tp".startswith(kind):
            self._l2tp(netns, words[1:], _variable(words), place)
        elif kind and ("link".startswith(kind) or "address".startswith(kind)):
            self._change(netns, words, place)
        elif not any(word in ("show", "list", "get", "monitor") for word in words[1:2]):
            self._left_out.append((place, ["ip", *words]))

    def _other(self, words: list[str], place: Place) -> None:
        """What is no `ip` command, as far as can be seen."""
        if not words:
            return
        tool = words[0].rpartition("/")[2]
        if tool in _SHELLS and "-c" in words[1:-1]:
            self.run(words[words.index("-c") + 1], place)
        elif tool == "l2tpv3tun":  # what `ip l2tp` was before iproute2 had it: the same words
            self._l2tp(None, words[1:], _variable(words), place)
        elif "l2tp" in words and tool not in _TALKERS:
            self._not_understood(words, place)
        elif tool in ("brctl", "ifconfig", "bridge"):
            self._netdev_tool(tool, words, place)
        elif tool not in _TALKERS:
            self._left_out.append((place, words))

    def _not_understood(self, words: list[str], place: Place) -> None:
        variable = _variable(words)
        if variable:
            self._complain_of_variable(variable, place)
        else:
            problem = f"{quoted(' '.join(words[: words.index('l2tp') + 1]))} is not understood"
            self.complaints.add(place, problem, "write it as `ip l2tp ...`")

    def _netdev_tool(self, tool: str, words: list[str], place: Place) -> None:
        """brctl, ifconfig, bridge. A variable in it may well stand for a netdev of ours."""
        if variable := _variable(words):
            self._unsure.append((place, variable))
            return
        try:
            if tool == "bridge":
                understood = self.netdevs.bridge(*_bridge_words(words[1:]), place)
            else:
                act = self.netdevs.brctl if tool == "brctl" else self.netdevs.ifconfig
                understood = act(words[1:], place)
            if not understood:
                self._left_out.append((place, words))
        except InvalidValueError as error:
            self.complaints.refused(place, error)

    def _complain_of_variable(self, word: str, place: Place) -> None:
        problem = f"{quoted(word)}: variables are not expanded, as nothing is run"
        self.complaints.add(place, problem, "write the values in, or import what `sh -x SCRIPT 2> FILE` wrote")

    # -- ip l2tp -----------------------------------------------------------------------------------------------------

    def _l2tp(self, netns: str | None, words: list[str], variable: str | None, place: Place) -> None:
        if words and any(verb.startswith(words[0]) for verb in ("show", "list", "lst", "help")):
            return
        if variable is not None:
            self._complain_of_variable(variable, place)
            return
        try:
            request = parse(words)
            if request.verb == "add":
                self._add(netns, request, place)
            elif request.verb == "del":
                self._delete(netns, request)
        except InvalidValueError as error:
            self.complaints.refused(place, error)
            if "tunnel" in words:
                self._broken.add((netns, _tunnel_id(words)))

    def _add(self, netns: str | None, request: Request, place: Place) -> None:
        given = request.given
        key = (netns, given["tunnel_id"])
        if request.tunnel:
            if key in self._tunnels:
                before = self._tunnels[key].place
                problem = f"tunnel_id {key[1]} is there already, from line {before.line} of {before.file}"
                raise InvalidValueError("ip l2tp add tunnel", problem, "give another id")
            taken = {draft.name for draft in self._tunnels.values()}
            draft = Draft(name_from(f"t{key[1]}" if netns is None else f"t{key[1]}-{netns}", taken, "t"), place)
            _set_all(draft, tunnel_words(given, "auto", netns), place)
            self._tunnels[key] = draft
        if request.session:
            if key not in self._tunnels and {key, (netns, None)} & self._broken:
                return  # the line that adds the tunnel is wrong, which was said
            if key not in self._tunnels:
                problem = f"no line above adds tunnel_id {key[1]}"
                raise InvalidValueError("ip l2tp add session", problem, "add the tunnel's line")
            self._add_session(netns, self._tunnels[key], request, place)

    def _add_session(self, netns: str | None, tunnel: Draft, request: Request, place: Place) -> None:
        number = request.given["session_id"]
        if twin := next((one for one in tunnel.sessions if one.words["id"] == number), None):
            problem = f"session_id {number} is there already, from line {twin.place.line} of {twin.place.file}"
            raise InvalidValueError("ip l2tp add session", problem, "give another id, or take one of the lines out")
        session = Draft(name_from(f"s{number}", {one.name for one in tunnel.sessions}, "s"), place)
        _set_all(session, session_words(request.given), place)
        del session.places["up"]  # `ip l2tp` has no such word: its netdevs are down until `ip link` says otherwise
        tunnel.sessions.append(session)
        # The kernel's own choice, under which later lines may speak of it. It is kept only if they do.
        ifname = session.words.get("ifname") or free_ifname(
            name for where, name in self.netdevs.sessions if where == netns
        )
        self.netdevs.sessions[netns, ifname] = session
        self._names.add(ifname)

    def _delete(self, netns: str | None, request: Request) -> None:
        key = (netns, request.given.get("tunnel_id", 0))
        tunnel = self._tunnels.get(key)
        if tunnel is None:
            return  # of an earlier run
        session_id = request.given.get("session_id")
        gone = [one for one in tunnel.sessions if session_id in (None, one.words["id"])]
        tunnel.sessions = [one for one in tunnel.sessions if one not in gone]
        sessions = self.netdevs.sessions
        self.netdevs.sessions = {at: one for at, one in sessions.items() if one not in gone}
        if not session_id:
            del self._tunnels[key]

    # -- ip link, ip addr --------------------------------------------------------------------------------------------

    def _change(self, netns: str | None, words: list[str], place: Place) -> None:
        """`ip link` or `ip addr`. A variable in it is wrong where a netdev of ours may be meant."""
        netdevs = self.netdevs
        variable = _variable(words)
        if variable is not None:
            known = next((word for word in words[1:] if netdevs.knows(netns, word)), None)
            if known is not None and words[1:2] != ["show"]:
                self._complain_of_variable(variable, place)
            elif "add" not in words[1:2]:
                self._unsure.append((place, variable))
            return
        try:
            if not "link".startswith(words[0]):
                netdevs.ip_addr(netns, words[1:], place)
            elif not netdevs.ip_link(netns, words[1:], place):
                self._left_out.append((place, ["ip", *words]))
        except InvalidValueError as error:
            self.complaints.refused(place, error)
        self._names |= {name for _, name in netdevs.sessions}


def _variable(words: list[str]) -> str | None:
    return next((word for word in words if _VARIABLE.search(word)), None)


def _names_one(words: list[str], names: set[str]) -> bool:
    """Whether a command has one of these names in it, as a word or within one."""
    return any(part in names for word in words for part in (word, *_IN_WORD.split(word)))


def _tunnel_id(words: list[str]) -> int | None:
    """The tunnel that a refused command is about, as far as that can be told."""
    for word, value in itertools.pairwise(words):
        if word in TUNNEL_ID_WORDS and value.isascii() and value.isdigit():
            return int(value)
    return None


def _bridge_words(words: list[str]) -> tuple[str | None, list[str]]:
    """The namespace and the words after `bridge` and its options."""
    netns = None
    while words and words[0].startswith("-"):
        if words[0] in ("-n", "-net", "-netns") and len(words) > 1:
            netns, words = words[1], words[1:]
        words = words[1:]
    return netns, words


def _set_all(draft: Draft, words: dict[str, Any], place: Place) -> None:
    for word, value in words.items():
        draft.set(word, value, place)


def _ip_words(words: list[str]) -> tuple[str | None, list[str]] | None:
    """The namespace and the words after `ip` and its options; of a batch file's line the words themselves."""
    if not words:
        return None
    netns: str | None = None
    if words[0].rpartition("/")[2] == "ip":
        words = words[1:]
    elif words[0] not in ("l2tp", "link", "addr", "address", "a", "l"):
        return None
    while words and words[0].startswith("-"):
        option, words = words[0], words[1:]
        if option in ("-n", "-net", "-netns") and words:
            netns, words = words[0], words[1:]
        elif option in _FLAGS_WITH_VALUE and words:
            words = words[1:]
    if words[:2] == ["netns", "exec"] and len(words) > 3:
        inner = _ip_words(words[3:])
        return None if inner is None else (inner[0] or words[2], inner[1])
    return netns, words
