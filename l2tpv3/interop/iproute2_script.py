"""Scripts and `ip -batch` files with `ip l2tp` commands, in, with what they do to the sessions' netdevs.

A script is not run: what depends on variables is an error, conditions are taken to be true, loops to run once; `ip
l2tp del` undoes what was added above it. Grammar: iproute2.py for `ip l2tp`, ip-link(8) and ip-address(8) for the rest.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from l2tpv3.errors import InvalidValueError
from l2tpv3.ids import free_ifname
from l2tpv3.interop.draft import Complaints, Draft, Place, name_from, quoted
from l2tpv3.interop.iproute2 import Request, parse, session_words, tunnel_words
from l2tpv3.interop.iproute2_netdev import change_address, change_link

_SEPARATORS = set("();<>|&")
_LEADING = {
    *("sudo", "doas", "exec", "command", "time"),
    *("if", "then", "else", "elif", "while", "until", "do", "!", "{", "}"),
}
_TALKERS = {
    *("modprobe", "rmmod", "lsmod", "insmod", "depmod"),
    *("echo", "printf", "logger", "grep", "man", "which", "type"),
}
_NETDEV_TOOLS = {"ifconfig", "brctl"}
_FLAGS_WITH_VALUE = ("-f", "-family", "-l", "-loops", "-rc", "-rcvbuf")
_VARIABLE = re.compile(r"[$`]")
_DESCRIPTOR = re.compile(r"(?<!\S)[0-9]+(?=[<>])")  # of `2>file`, which would be taken for a word


def read(texts: list[tuple[Path, str]], complaints: Complaints) -> list[Draft]:
    """The tunnels of the files, named tID, with sessions sID."""
    script = Script(complaints)
    for file, text in texts:
        for place, line in _logical_lines(file, text):
            for words in _commands(line, place, complaints):
                script.take(words, place)
    return script.finished()


def _logical_lines(file: Path, text: str) -> Iterator[tuple[Place, str]]:
    begun, whole = 0, ""
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        begun = begun or number
        comment = not whole and line.lstrip().startswith("#")
        if line.endswith("\\") and not comment:
            whole += line[:-1] + " "
            continue
        yield Place(file, begun), whole + line
        begun, whole = 0, ""
    if whole:
        yield Place(file, begun), whole


def _commands(line: str, place: Place, complaints: Complaints) -> list[list[str]]:
    """The commands of a line as words. What a quote goes on in the next line of is of interest only with l2tp in it."""
    lexer = shlex.shlex(_DESCRIPTOR.sub("", line), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:
        if "l2tp" in line:
            complaints.add(place, "a quote is not closed on this line", "write the command on one line")
        return []
    commands: list[list[str]] = [[]]
    for word in words:
        if word and set(word) <= _SEPARATORS:
            commands.append([])
        else:
            commands[-1].append(word)
    return [command for command in commands if command]


class Script:
    """What a script has made so far. netdevs: each session by the namespace (None: its own) and name of its netdev."""

    def __init__(self, complaints: Complaints) -> None:
        self.complaints = complaints
        self.netdevs: dict[tuple[str | None, str], Draft] = {}
        self._tunnels: dict[tuple[str | None, int], Draft] = {}
        self._unsure: list[tuple[Place, str]] = []

    def finished(self) -> list[Draft]:
        """All tunnels, once all commands were taken."""
        if self._tunnels:
            for place, word in self._unsure:
                self._complain_of_variable(word, place)
        return list(self._tunnels.values())

    def take(self, words: list[str], place: Place) -> None:
        """One command."""
        while words and words[0] in _LEADING:
            words = words[1:]
        told = _ip_words(words)
        if told is None:
            self._other(words, place)
            return
        netns, words = told
        variable = _variable(words)
        kind = words[0] if words else ""
        if len(kind) > 1 and "l2tp".startswith(kind):
            self._l2tp(netns, words[1:], variable, place)
        elif kind and ("link".startswith(kind) or "address".startswith(kind)):
            self._change(netns, words, variable, place)

    def _other(self, words: list[str], place: Place) -> None:
        """What is no `ip` command, as far as can be seen."""
        if "l2tp" in words and words[0].rpartition("/")[2] not in _TALKERS:
            variable = _variable(words)
            if variable:
                self._complain_of_variable(variable, place)
            else:
                problem = f"{quoted(' '.join(words[: words.index('l2tp') + 1]))} is not understood"
                self.complaints.add(place, problem, "write it as `ip l2tp ...`")
        elif words and words[0].rpartition("/")[2] in _NETDEV_TOOLS:
            self._old_tool(words, place)

    def _old_tool(self, words: list[str], place: Place) -> None:
        session = next((self.netdevs[None, word] for word in words if (None, word) in self.netdevs), None)
        if session is None:
            return
        if words[0].endswith("brctl") and words[1:2] == ["addif"] and len(words) == 4:
            session.set("bridge", words[2], place)
        else:
            self.complaints.warn(place, f"{quoted(words[0])} is not imported", "write it as `ip link` or `ip addr`")

    def _complain_of_variable(self, word: str, place: Place) -> None:
        problem = f"{quoted(word)}: variables are not expanded, as nothing is run"
        self.complaints.add(place, problem, "write the values in; `sh -x SCRIPT` prints what a run of it did")

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
            if key not in self._tunnels:
                problem = f"no line above adds tunnel_id {key[1]}"
                raise InvalidValueError("ip l2tp add session", problem, "add the tunnel's line")
            self._add_session(netns, self._tunnels[key], request, place)

    def _add_session(self, netns: str | None, tunnel: Draft, request: Request, place: Place) -> None:
        session = Draft(name_from(f"s{request.given['session_id']}", {one.name for one in tunnel.sessions}, "s"), place)
        _set_all(session, session_words(request.given), place)
        tunnel.sessions.append(session)
        # The kernel's own choice, under which later lines may speak of it. It is kept only if they do.
        ifname = session.words.get("ifname") or free_ifname(name for where, name in self.netdevs if where == netns)
        self.netdevs[netns, ifname] = session

    def _delete(self, netns: str | None, request: Request) -> None:
        key = (netns, request.given.get("tunnel_id", 0))
        tunnel = self._tunnels.get(key)
        if tunnel is None:
            return  # of an earlier run
        session_id = request.given.get("session_id")
        gone = [one for one in tunnel.sessions if session_id in (None, one.words["id"])]
        tunnel.sessions = [one for one in tunnel.sessions if one not in gone]
        self.netdevs = {at: one for at, one in self.netdevs.items() if one not in gone}
        if not session_id:
            del self._tunnels[key]

    # -- ip link, ip addr --------------------------------------------------------------------------------------------

    def _change(self, netns: str | None, words: list[str], variable: str | None, place: Place) -> None:
        is_link = "link".startswith(words[0])
        netdev = _netdev_of(words)
        if netdev is None or (is_link and not "set".startswith(words[1])):
            return
        if _VARIABLE.search(netdev):
            self._unsure.append((place, netdev))  # it may well be a session's
        elif (netns, netdev) in self.netdevs and variable is not None:
            self._complain_of_variable(variable, place)
        elif (netns, netdev) in self.netdevs:
            try:
                if is_link:
                    change_link(self, netns, netdev, words[2:], place)
                else:
                    change_address(self, netns, words[1:], place)
            except InvalidValueError as error:
                self.complaints.refused(place, error)


def _variable(words: list[str]) -> str | None:
    return next((word for word in words if _VARIABLE.search(word)), None)


def _netdev_of(words: list[str]) -> str | None:
    """The netdev that an `ip link` or `ip addr` command changes."""
    if "dev" in words[1:-1]:
        return words[words.index("dev", 1) + 1]
    return words[2] if "link".startswith(words[0]) and len(words) > 2 else None


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
