"""Reads a scenario from scenario.toml and its bases, fully checked before anything is made."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labrunner.errors import ScenarioError
from labrunner.scenario import Capture, Decode, End, Host, Link, Outage, Scenario, Step, Transfer, fill

SCENARIOS = Path(__file__).resolve().parents[1] / "scenarios"
"""Where the scenarios that ship with the project are."""

BUILT_IN = ("datapath", "datapath_word", "frames", "run_dir", "send_flows", "send_frames", "traffic")
"""Values that each step has besides the scenario's own, and those of `netns.HOST`: see labrunner.steps."""

_HOST_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{0,15}")


def find(text: str) -> Path:
    """The folder of a scenario: a name under netns-lab/scenarios, or a path to a folder. Raises ScenarioError."""
    for folder in (SCENARIOS / text, Path(text)):
        if (folder / "scenario.toml").is_file():
            return folder
    raise ScenarioError(f"no scenario {text!r}; `netns-lab/lab --list` shows those that exist")


def names() -> list[str]:
    """The scenarios that ship, without those that are only a base for others."""
    folders = sorted(path.parent for path in SCENARIOS.glob("*/scenario.toml"))
    return [folder.name for folder in folders if not _read(folder).get("abstract")]


def load(folder: Path) -> Scenario:
    """Read, inherit from its bases and check. Raises ScenarioError."""
    return _Loader(folder.name, _inherited(folder)).scenario()


def _read(folder: Path) -> dict[str, Any]:
    path = folder / "scenario.toml"
    try:
        return tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ScenarioError(f"{path}: {error}") from error


def _inherited(folder: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    own = _read(folder)
    own.pop("abstract", None)
    base = own.pop("base", None)
    if base is None:
        return own
    if folder in seen:
        raise ScenarioError(f"{folder}: it is its own base")
    parent = folder.parent / base
    return _merged(_inherited(parent if parent.is_dir() else find(base), (*seen, folder)), own)


def _merged(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Tables are merged key by key; all else, lists too, is the own one's."""
    merged = dict(base)
    for key, value in own.items():
        under = merged.get(key)
        merged[key] = _merged(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return merged


class _Loader:
    """Turns the tables of one scenario into its values, naming the place of whatever is wrong."""

    def __init__(self, name: str, data: dict[str, Any]) -> None:
        self._name, self._data = name, data
        self._values = {key: str(value) for key, value in data.get("values", {}).items()}

    def scenario(self) -> Scenario:
        data = _Table(self._data, self._name)
        data.take("values", dict, {})
        hosts = tuple(self._host(name, table) for name, table in data.take("hosts", dict).items())
        self._hosts = {host.name for host in hosts}
        links = tuple(self._link(table, index) for index, table in enumerate(data.take("links", list, []), 1))
        saved: set[str] = set()
        scenario = Scenario(
            name=self._name,
            title=self._fill(data.take("title", str), "title"),
            picture=self._fill(data.take("picture", str, ""), "picture").strip("\n"),
            needs=tuple(data.take("needs", list, [])),
            values=self._values,
            hosts=hosts,
            links=links,
            steps=tuple(self._step(table, f"step {n}", saved) for n, table in enumerate(data.take("steps", list), 1)),
            on_failure=tuple(self._step(table, "on_failure", saved) for table in data.take("on_failure", list, [])),
            while_serving=tuple(
                self._step(table, "while_serving", saved) for table in data.take("while_serving", list, [])
            ),
            afterwards=self._fill(data.take("afterwards", str, ""), "afterwards").strip("\n"),
        )
        data.nothing_left()
        return scenario

    def _fill(self, text: str, where: str) -> str:
        return fill(text, self._values, f"{self._name}: {where}")

    def _host(self, name: str, table: dict[str, Any]) -> Host:
        if not _HOST_NAME.fullmatch(name):
            raise ScenarioError(f"{self._name}: {name!r} is no name for a host (letters and digits, at most 16)")
        host = _Table(table, f"{self._name}: host {name}")
        sysctl = {self._fill(key, f"host {name}"): str(value) for key, value in host.take("sysctl", dict, {}).items()}
        lines = tuple(self._fill(line, f"host {name}") for line in host.take("ip", list, []))
        serve = tuple(map(str, host.take("serve", list, [])))  # {run_dir} in it has its value when it is served
        environment = {key: str(value) for key, value in host.take("serve_environment", dict, {}).items()}
        host.nothing_left()
        return Host(name, sysctl, lines, serve, environment)

    def _link(self, table: dict[str, Any], index: int) -> Link:
        link = _Table(table, f"{self._name}: link {index}")
        a, b = (self._end(link.take(key, dict), index) for key in ("a", "b"))
        mtu = link.take("mtu", int, 1500)
        link.nothing_left()
        return Link(a, b, mtu)

    def _end(self, table: dict[str, Any], index: int) -> End:
        where = f"link {index}"
        end = _Table(table, f"{self._name}: {where}")
        host = self._known_host(end.take("host", str), where)
        addresses = tuple(self._fill(address, where) for address in end.take("addresses", list, []))
        made = End(host, end.take("netdev", str), addresses)
        end.nothing_left()
        return made

    def _known_host(self, name: str, where: str) -> str:
        if name not in self._hosts:
            raise ScenarioError(f"{self._name}: {where}: no host {name!r}")
        return name

    def _step(self, table: dict[str, Any], where: str, saved: set[str]) -> Step:
        """Placeholders stay: some have values only when the step's turn comes. That each will have one is checked."""
        self._check_placeholders(table, where, saved)
        step = _Table(table, f"{self._name}: {where}")
        run = table.get("run", [])
        step.take("run", (str, list), [])
        made = Step(
            say=step.take("say", str),
            on=self._known_host(step.take("on", str), where),
            run=(run,) if isinstance(run, str) else tuple(run),
            stdin=step.take("stdin", str, ""),
            background=step.take("background", str, ""),
            tcp=self._transfer(step.take("tcp", dict, None), where),
            outage=self._outage(step.take("outage", dict, None), where),
            capture=self._capture(step.take("capture", dict, None), where),
            decode=self._decode(step.take("decode", dict, None), where),
            exit=step.take("exit", int, 0),
            output=tuple(step.take("output", list, [])),
            json=step.take("json", dict, {}),
            save=step.take("save", dict, {}),
            relay_to=self._known_host(relay_to, where) if (relay_to := step.take("relay_to", str, "")) else "",
            within_s=float(step.take("within_s", (int, float), 0)),
            timeout_s=float(step.take("timeout_s", (int, float), 30)),
            show=step.take("show", int, -1),
        )
        step.nothing_left()
        kinds = (made.run, made.background, made.tcp, made.outage, made.capture, made.decode)
        if sum(map(bool, kinds)) != 1:
            raise ScenarioError(f"{self._name}: {where}: give one of run, background, tcp, outage, capture, decode")
        if made.stdin and not (made.run or made.background):
            raise ScenarioError(f"{self._name}: {where}: stdin is for run and background")
        saved.update(made.save)
        return made

    def _check_placeholders(self, table: Any, where: str, saved: set[str]) -> None:
        built_in = set(BUILT_IN) | {f"netns.{host}" for host in self._hosts}
        known = dict.fromkeys(built_in | saved, "") | self._values
        match table:
            case str():
                fill(table, known, f"{self._name}: {where}")
            case dict():
                for key, value in table.items():
                    self._check_placeholders([key, value], where, saved)
            case list():
                for value in table:
                    self._check_placeholders(value, where, saved)

    def _transfer(self, table: dict[str, Any] | None, where: str) -> Transfer | None:
        if table is None:
            return None
        tcp = _Table(table, f"{self._name}: {where}: tcp")
        made = Transfer(
            to=self._known_host(tcp.take("to", str), where),
            address=tcp.take("address", str),
            seconds=float(tcp.take("seconds", (int, float), 1)),
            min_mbits=float(tcp.take("min_mbits", (int, float), 0)),
        )
        tcp.nothing_left()
        return made

    def _outage(self, table: dict[str, Any] | None, where: str) -> Outage | None:
        if table is None:
            return None
        outage = _Table(table, f"{self._name}: {where}: outage")
        made = Outage(
            address=outage.take("address", str),
            at=self._known_host(outage.take("at", str), where),
            cut=outage.take("cut", str),
            most_s=float(outage.take("most_s", (int, float))),
        )
        outage.nothing_left()
        return made

    def _capture(self, table: dict[str, Any] | None, where: str) -> Capture | None:
        if table is None:
            return None
        capture = _Table(table, f"{self._name}: {where}: capture")
        made = Capture(capture.take("name", str), capture.take("netdev", str), capture.take("packets", int, 1000))
        capture.nothing_left()
        return made

    def _decode(self, table: dict[str, Any] | None, where: str) -> Decode | None:
        if table is None:
            return None
        decode = _Table(table, f"{self._name}: {where}: decode")
        made = Decode(
            name=decode.take("name", str),
            packets=decode.take("packets", int, 10),
            cookie_bytes=decode.take("cookie_bytes", int, 8),
            sublayer=decode.take("sublayer", str, "default"),
            only=tuple(decode.take("only", list, [])),
            within_s=float(decode.take("within_s", (int, float), 0)),
        )
        decode.nothing_left()
        return made


_REQUIRED = object()


class _Table:
    """A TOML table whose keys are taken one by one, so that a misspelt one is noticed."""

    def __init__(self, table: Mapping[str, Any], where: str) -> None:
        self._left, self._where = dict(table), where

    def take(self, key: str, kind: type | tuple[type, ...], default: Any = _REQUIRED) -> Any:
        value = self._left.pop(key, default)
        if value is _REQUIRED:
            raise ScenarioError(f"{self._where}: {key} is missing")
        if value is not default and not isinstance(value, kind):
            raise ScenarioError(f"{self._where}: {key} = {value!r} has the wrong type")
        return value

    def nothing_left(self) -> None:
        if self._left:
            raise ScenarioError(f"{self._where}: unknown: {', '.join(sorted(self._left))}")
