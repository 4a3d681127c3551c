"""go-l2tp's ql2tpd configuration, in. See export.py for the sources."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from l2tpv3.config.toml_lines import LineIndex
from l2tpv3.formats.draft import Draft, Place, Warnings, name_from, quoted

_ENDPOINT = re.compile(r"(?:\[([^\[\]]+)\]|([^\[\]:]+)):([0-9]{1,5})")
_AT_LINE = re.compile(r"\(at line (\d+), column \d+\)$")
_CONTROL = {"window_size", "retry_timeout", "max_retries", "host_name", "framing_caps"}
"""Keys of the control protocol, which neither ql2tpd nor this project runs."""


def read(texts: list[tuple[Path, str]], complaints: Warnings) -> list[Draft]:
    """The tunnels of the files."""
    drafts: list[Draft] = []
    for file, text in texts:
        reader = _Reader(file, text.replace("\r\n", "\n"), complaints)
        drafts += reader.tunnels({draft.name for draft in drafts})
    return drafts


class _Reader:
    """Reads one file."""

    def __init__(self, file: Path, text: str, complaints: Warnings) -> None:
        self._file, self._text, self._complaints = file, text, complaints
        self._lines = LineIndex(text)

    def tunnels(self, taken: set[str]) -> list[Draft]:
        """The tunnels of the file. taken: names that other files have."""
        tables = self._table(self._parsed(), "tunnel", ())
        drafts = []
        for key in tables:
            content = self._table(tables, key, ("tunnel",))
            name = name_from(key, taken, "tunnel")
            taken.add(name)
            draft = Draft(name, self._place("tunnel", key))
            if self._is_ours(content, key):
                drafts.append(self._tunnel(draft, content, key))
        return drafts

    def _is_ours(self, content: dict[str, Any], key: str) -> bool:
        """Whether it is a tunnel of ethernet over version 3. kl2tpd's files, for PPP, are of the same form."""
        sessions = content.get("session")
        of = [one for one in sessions.values() if isinstance(one, dict)] if isinstance(sessions, dict) else []
        if content.get("version") == "l2tpv2" or any(one.get("pseudowire") in ("ppp", "pppac") for one in of):
            problem = f"tunnel {quoted(key)} is for PPP (kl2tpd); only ethernet over version 3 can be imported"
            self._complaints.add(self._place("tunnel", key), problem, "take the table and its sessions out")
            return False
        return True

    def _parsed(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            match = _AT_LINE.search(str(error))
            line = int(match[1]) if match else self._text.rstrip().count("\n") + 1
            message = str(error).partition(" (at ")[0]
            self._complaints.add(Place(self._file, line), f"not TOML: {message}", "text needs quotes")
        except (RecursionError, ValueError):
            self._complaints.add(Place(self._file, 0), "nested too deeply, or a number too long", "simplify it")
        return {}

    def _place(self, *path: str) -> Place:
        return Place(self._file, self._lines.line(path))

    def _table(self, parent: dict[str, Any], key: str, path: tuple[str, ...]) -> dict[str, Any]:
        value = parent.get(key, {})
        if isinstance(value, dict):
            return value
        self._complaints.add(self._place(*path, key), f"{quoted(key)} is not a table", "write a heading [tunnel.NAME]")
        return {}

    # -- tunnels -----------------------------------------------------------------------------------------------------

    def _tunnel(self, draft: Draft, content: dict[str, Any], key: str) -> Draft:
        path = ("tunnel", key)
        draft.words |= {"encap": "udp"}
        for word, value in content.items():
            self._tunnel_word(draft, word, value, self._place(*path, word))
        for word in ("tid", "ptid", "version", "encap"):
            if word not in content:
                self._complaints.add(draft.place, f"{word} is missing, which ql2tpd demands", "give it")
        if draft.words.get("encap") == "ip":
            draft.words = {word: value for word, value in draft.words.items() if not word.endswith("-port")}
        elif "remote" in draft.words:
            draft.words["udp-checksum"] = "on" if ":" in draft.words["remote"] else "off"
        sessions = self._table(content, "session", path)
        for name in sessions:
            self._session(draft, self._table(sessions, name, (*path, "session")), (*path, "session", name))
        return draft

    def _tunnel_word(self, draft: Draft, word: str, value: Any, place: Place) -> None:
        if word in ("local", "peer"):
            self._endpoint(draft, word, value, place)
        elif word in ("tid", "ptid"):
            draft.set("id" if word == "tid" else "peer-id", self._integer(word, value, place), place)
        elif word == "encap":
            draft.set("encap", value, place)
        elif word == "version":
            self._only(word, value, "l2tpv3", place)
        elif word == "hello_timeout":
            self._complaints.warn(place, "HELLO messages are not imported", "the peer has to do without, too")
        elif word not in _CONTROL and word != "session":
            self._complaints.add(place, f"{quoted(word)} is unknown to ql2tpd", "see ql2tpd.toml(5)")

    def _endpoint(self, draft: Draft, word: str, value: object, place: Place) -> None:
        match = _ENDPOINT.fullmatch(value) if isinstance(value, str) else None
        side = "local" if word == "local" else "remote"
        if match is None:
            draft.wrong.add(side)
            self._complaints.add(
                place, f"{word} is {quoted(str(value))}, not an address with a port", "as 192.0.2.1:1701"
            )
            return
        draft.set(side, match[1] or match[2], place)
        draft.set(f"{side}-port", int(match[3]), place)

    # -- sessions ----------------------------------------------------------------------------------------------------

    def _session(self, tunnel: Draft, content: dict[str, Any], path: tuple[str, ...]) -> None:
        taken = {session.name for session in tunnel.sessions}
        draft = Draft(name_from(path[-1], taken, "session"), self._place(*path))
        tunnel.sessions.append(draft)
        draft.words |= {"tx-cookie": b"", "rx-cookie": b"", "sublayer": "none", "sequencing": "none", "up": False}
        for word, value in content.items():
            self._session_word(draft, word, value, self._place(*path, word))
        for word in ("sid", "psid", "pseudowire"):
            if word not in content:
                self._complaints.add(draft.place, f"{word} is missing, which ql2tpd demands", "give it")
        if draft.words["sequencing"] == "both" and "l2spec_type" not in content:
            problem = "seqnum = true needs the sublayer, which ql2tpd leaves out by default"
            self._complaints.add(draft.places["sequencing"], problem, 'give l2spec_type = "default"')
            draft.words["sequencing"] = "none"
        if draft.words["tx-cookie"] != draft.words["rx-cookie"]:
            problem = "cookies: ql2tpd up to 0.1.8 sends peer_cookie as its own, whatever its manual says"
            self._complaints.warn(
                draft.place, problem, "look at what arrives: exchange tx-cookie and rx-cookie if need be"
            )

    def _session_word(self, draft: Draft, word: str, value: Any, place: Place) -> None:
        if word in ("sid", "psid"):
            draft.set("id" if word == "sid" else "peer-id", self._integer(word, value, place), place)
        elif word in ("cookie", "peer_cookie"):
            draft.set("tx-cookie" if word == "cookie" else "rx-cookie", self._cookie(word, value, place), place)
        elif word == "interface_name":
            draft.set("ifname", value, place)
        elif word == "l2spec_type":
            draft.set("sublayer", value, place)
        elif word == "reorder_timeout":
            draft.set("reorder-timeout-ms", self._integer(word, value, place), place)
        elif word == "seqnum":
            if not isinstance(value, bool):
                self._complaints.add(place, "seqnum is neither true nor false", "give one of them")
            draft.set("sequencing", "both" if value is True else "none", place)
        elif word == "pseudowire":
            self._only(word, value, "eth", place)
        else:
            self._complaints.add(place, f"{quoted(word)} is unknown to ql2tpd", "see ql2tpd.toml(5)")

    def _integer(self, word: str, value: object, place: Place) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= 63:
            return value
        self._complaints.add(place, f"{word} is not a whole number of 32 bits", "give digits without quotes")
        return 1

    def _cookie(self, word: str, value: object, place: Place) -> bytes:
        """Never quoted: it is a secret."""
        is_bytes = isinstance(value, list) and all(
            isinstance(item, int) and not isinstance(item, bool) and 0 <= item <= 255 for item in value
        )
        if is_bytes and isinstance(value, list) and len(value) in (4, 8):
            return bytes(value)
        self._complaints.add(place, f"{word} is not an array of 4 or 8 bytes", "write it as [ 0x12, 0xe9, 0x54, 0x0f ]")
        return b""

    def _only(self, word: str, value: object, wanted: str, place: Place) -> None:
        if value != wanted:
            problem = f"{word} is {quoted(str(value))}; only {wanted} can be imported"
            self._complaints.add(place, problem, f'give "{wanted}", or take the table out')
