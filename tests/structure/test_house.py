"""The house's rules that a reader could check and would not."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "l2tpv3"

# From the bottom to the top. A room imports from rows below its own, and from nobody beside it: so no datapath knows
# another (but for the one that is put beside the user datapath's workers), and the wire library knows nothing. The
# package itself (l2tpv3/__init__.py) is the shop window: it shows all.
FLOORS: list[set[str]] = [
    {"capabilities", "wire", "marks", "printable"},
    {"errors", "readable"},
    {"read_file"},
    {"told", "ids", "late", "netns", "lock", "source", "migrations", "whoami", "boot", "extras", "spelling"},
    {"arrivals", "places", "words", "naming", "free_ids", "tasks"},
    {"spec", "netlink"},
    {"state", "mtu", "monitor"},
    {"status", "records", "datapath.base"},
    {"datapath.kernel", "datapath.user", "datapath.memory"},
    {"datapath.ebpf"},
    {"link", "capture", "chosen"},
    {"links", "outer_path"},
    {"wanted", "everything", "look", "bridging", "addressing", "unchecksummed"},
    {"config", "pending", "world", "steps"},
    {"store"},
    {"report", "metrics", "choose", "clash", "ports", "plan", "run", "surroundings"},
    {"notes"},
    {"observe", "planning", "differences", "extent", "renaming", "describe", "spaces"},
    {"describe_record"},
    {"outcome", "settle", "follow"},
    {"settling", "engine"},
    {"restore"},
    {"host"},
    {"managed_links", "cables"},
    {"manager"},
    {"interop", "supervise", "remote"},
    {"cli"},
]
_FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

_SOURCES = sorted(PACKAGE.rglob("*.py"))


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _room(module: str) -> str:
    """`l2tpv3.worker.process` is of the room `datapath.user`, `l2tpv3.wire.data` of `wire`."""
    parts = module.split(".")[1:]
    return ".".join(parts[:2]) if parts[:1] == ["datapath"] else ".".join(parts[:1])


def _imports(path: Path) -> Iterator[str]:
    """The modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            module = str(node.module)
            for name in node.names:
                inner = PACKAGE.parent.joinpath(*module.split("."), name.name)
                is_module = inner.is_dir() or inner.with_suffix(".py").exists()
                yield f"{module}.{name.name}" if is_module else module


def _tracked() -> list[Path]:
    # safe.directory: with sudo in somebody's checkout git would refuse
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def test_every_room_has_its_floor() -> None:
    rooms = {_room(_module(path)) for path in _SOURCES} - {"", "datapath"}
    assert rooms <= set(_FLOOR), "give new rooms a floor in FLOORS"


@pytest.mark.parametrize("path", _SOURCES, ids=_module)
def test_no_room_imports_a_higher_one(path: Path) -> None:
    room = _room(_module(path))
    if room in ("", "datapath"):
        return
    theirs = {_room(name) for name in _imports(path) if name.split(".")[0] == "l2tpv3"} - {room}
    wrong = {other for other in theirs if other == "" or _FLOOR[other] >= _FLOOR[room]}
    assert not wrong, f"{room} imports {sorted(wrong)}"


@pytest.mark.parametrize("path", sorted((PACKAGE / "wire").glob("*.py")), ids=_module)
def test_the_wire_library_does_no_input_or_output(path: Path) -> None:
    forbidden = {"socket", "os", "time", "asyncio", "select", "selectors", "subprocess", "threading", "io", "logging"}
    assert not {name.split(".")[0] for name in _imports(path)} & forbidden


@pytest.mark.parametrize("program", ["import l2tpv3", "from l2tpv3.cli import main; main(['--help'])"])
def test_what_is_slow_to_import_is_left_until_it_is_used(program: str) -> None:
    code = f"import sys\n{program}\nprint('LOADED', *sorted(m for m in sys.modules if '.' not in m))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.rpartition("LOADED")[2].split())
    assert not loaded & {"pyroute2", "scapy", "fastapi", "pydantic", "asyncio", "sqlite3"}


_PROGRAMS = [
    path
    for folder in ("l2tpv3", "api", "netns-lab", "bench")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.is_file() and (path.suffix == ".py" or path.read_bytes().startswith(b"#!/usr/bin/env python"))
]


def _attributes(path: Path) -> set[str]:
    """`select.select`, `os.umask` and the like that a file uses, by whatever name it imports the module or them."""
    tree = ast.parse(path.read_text())
    modules = {
        name.asname or name.name: name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for name in node.names
    }
    used = {
        f"{modules[node.value.id]}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules
    }
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return used | {f"{node.module}.{name.name}" for node in froms for name in node.names}


@pytest.mark.parametrize(
    ("forbidden", "instead", "allowed"),
    [
        ("select.select", "wait_readable(): select(2) takes no descriptor above 1023", set()),
        ("os.umask", "a mode at creation: the umask is that of all threads", {"l2tpv3/worker/process.py"}),
        ("os.chdir", "absolute paths: the folder is that of all threads", {"l2tpv3/worker/process.py"}),
    ],
)
def test_what_goes_wrong_in_a_process_of_many_threads_or_files(forbidden: str, instead: str, allowed: set[str]) -> None:
    using = {str(path.relative_to(ROOT)) for path in _PROGRAMS if forbidden in _attributes(path)}
    assert using <= allowed, f"use {instead}"


@pytest.mark.parametrize("path", [path for path in _PROGRAMS if path.parts[len(ROOT.parts)] in ("l2tpv3", "api")])
def test_no_program_that_is_run_is_waited_for_without_a_limit(path: Path) -> None:
    tree = ast.parse(path.read_text())
    awaited = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Await)}  # within asyncio.timeout()
    waiting = {f"subprocess.{name}" for name in ("run", "call", "check_call", "check_output")}
    endless = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (node.func.attr == "communicate" or ast.unparse(node.func) in waiting)
        and id(node) not in awaited
        and "timeout" not in {keyword.arg for keyword in node.keywords}
    ]
    assert not endless, "give it a timeout"


def test_no_tracked_file_speaks_of_the_workplace() -> None:
    # short numbers are this project's own; other projects' issues may be named, theirs are long
    workplace = re.compile("/wor" + r"k/|\bissue #?\d{1,3}\b|shared/(reference|kernel-vm)", re.IGNORECASE)
    said = []
    for path in _tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        said += [f"{path.relative_to(ROOT)}: {match[0]}" for match in workplace.finditer(text)]
    assert not said


def test_no_file_is_a_drawer_for_odds_and_ends() -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert not [path for path in _tracked() if path.stem in drawers]


@pytest.mark.parametrize("path", _SOURCES, ids=_module)
def test_public_names_have_docstrings(path: Path) -> None:
    tree = ast.parse(path.read_text())
    bare = [] if ast.get_docstring(tree) or not tree.body else ["the module"]
    bare += [name for name, node in _public(tree) if not ast.get_docstring(node)]
    assert not bare


def _public(tree: ast.Module) -> Iterator[tuple[str, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Public classes and functions of a module, and the public methods of classes that inherit from nothing.

    A class with bases may be filling in what its base has described.
    """
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield node.name, node
            if isinstance(node, ast.ClassDef) and not node.bases:
                for inner in node.body:
                    if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) and not inner.name.startswith("_"):
                        yield f"{node.name}.{inner.name}", inner


def test_the_wheel_has_the_package_its_types_and_its_data(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    wanted = {str(path.relative_to(ROOT)) for path in _tracked() if path.is_relative_to(PACKAGE)}
    wanted |= {str(path.relative_to(ROOT / "api")) for path in _tracked() if path.is_relative_to(ROOT / "api")}
    assert "l2tpv3/py.typed" in shipped
    assert wanted <= shipped
    assert {name.split("/")[0] for name in shipped if ".data/data/" not in name} == {"l2tpv3", "l2tpv3_api"}


def test_the_readme_and_ci_name_the_commands_there_are() -> None:
    readme = (ROOT / "README.md").read_text().splitlines()
    for command in ("netns-lab/demo", "tests/run"):
        assert command in readme, f"README.md has {command} on a line of its own, to be copied"
        assert (ROOT / command).stat().st_mode & 0o111
    assert "tests/run" in (ROOT / ".ci" / "run").read_text()
