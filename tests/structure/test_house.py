"""The house's rules that a reader could check and would not."""

from __future__ import annotations

import ast
import functools
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "l2tpv3"

PACKAGES = [
    *("version", "printable", "errors", "spelling", "optional_packages", "value_class"),
    *("wire", "linux", "contrib"),
    *("model", "paths"),
    *("encryption", "netdev", "worker", "datapath", "links", "worker_process"),
    *("store", "resolve", "plan", "documents", "config", "reconcile"),
    *("capture", "metrics", "watch", "doctor", "lan_hosts", "flows"),
    *("host", "liveness", "formats", "remote", "connect", "fleet"),
    *("cli", "testing"),
]
"""From the bottom to the top: each imports only from those before it. l2tpv3/__init__.py is the shop window of all."""

_SOURCES = sorted(PACKAGE.rglob("*.py"))


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _package(module: str) -> str:
    """`l2tpv3.datapath.user.handlers` is of the package `datapath`; "" is l2tpv3 itself."""
    return module.split(".")[1] if "." in module else ""


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


def test_packages_import_one_way() -> None:
    place = {name: number for number, name in enumerate(PACKAGES)}
    assert {_package(_module(path)) for path in _SOURCES} - {""} == set(PACKAGES), "PACKAGES lists each package"
    wrong = []
    for path in _SOURCES:
        own = _package(_module(path))
        theirs = {name for name in _imports(path) if name.split(".")[0] == "l2tpv3"} if own else ()
        wrong += [f"{_module(path)}: {name}" for name in theirs if _is_above(place, _package(name), own)]
    assert not wrong


def _is_above(place: dict[str, int], package: str, own: str) -> bool:
    return package != own and place.get(package, len(place)) > place[own]


def test_the_wire_library_does_no_input_or_output() -> None:
    forbidden = {"socket", "os", "time", "asyncio", "select", "selectors", "subprocess", "threading", "io", "logging"}
    for path in (PACKAGE / "wire").glob("*.py"):
        assert not {name.split(".")[0] for name in _imports(path)} & forbidden, path


@pytest.mark.parametrize("program", ["import l2tpv3", "from l2tpv3.cli import main; main(['--help'])"])
def test_what_is_slow_to_import_is_left_until_it_is_used(program: str) -> None:
    code = f"import sys\n{program}\nprint('LOADED', *sorted(m for m in sys.modules if '.' not in m))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.rpartition("LOADED")[2].split())
    assert not loaded & {"pyroute2", "scapy", "fastapi", "pydantic", "asyncio", "sqlite3"}


@pytest.mark.parametrize(
    ("argv", "unused"),
    [
        (["--version"], {"click", "dataclasses", "json", "l2tpv3.host"}),
        (["tunnel", "add"], {"l2tpv3.config", "l2tpv3.host", "tomllib"}),  # a usage error
        (["tunnel", "show"], {"l2tpv3.config", "l2tpv3.plan", "l2tpv3.model.links.options", "ctypes", "subprocess"}),
    ],
)
def test_a_command_imports_nothing_that_it_does_not_use(argv: list[str], unused: set[str], tmp_path: Path) -> None:
    code = "import sys\nfrom l2tpv3.cli import main\nmain(sys.argv[1:])\nprint('LOADED', *sys.modules)"
    environment = os.environ | {"L2TPV3_STATE_DIR": str(tmp_path), "L2TPV3_RUNTIME_DIR": str(tmp_path)}
    command = [sys.executable, "-c", code, *argv]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    assert not set(done.stdout.rpartition("LOADED")[2].split()) & unused


_PROGRAMS = [
    path
    for folder in ("l2tpv3", "api", "netns-lab", "bench")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.is_file() and (path.suffix == ".py" or path.read_bytes().startswith(b"#!/usr/bin/env python"))
]


@functools.cache  # three tests ask of each of some 600 files
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
        ("os.umask", "a mode at creation: the umask is that of all threads", {"l2tpv3/worker_process.py"}),
        ("os.chdir", "absolute paths: the folder is that of all threads", {"l2tpv3/worker_process.py"}),
    ],
)
def test_what_goes_wrong_in_a_process_of_many_threads_or_files(forbidden: str, instead: str, allowed: set[str]) -> None:
    using = {str(path.relative_to(ROOT)) for path in _PROGRAMS if forbidden in _attributes(path)}
    assert using <= allowed, f"use {instead}"


def test_no_program_that_is_run_is_waited_for_without_a_limit() -> None:
    products = [path for path in _PROGRAMS if path.parts[len(ROOT.parts)] in ("l2tpv3", "api")]
    assert not [f"{path}:{line}" for path in products for line in _waits_endlessly(path)], "give it a timeout"


def _waits_endlessly(path: Path) -> list[int]:
    """The lines where a program waits for another one without a limit."""
    tree = ast.parse(path.read_text())
    awaited = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Await)}  # within asyncio.timeout()
    waiting = {f"subprocess.{name}" for name in ("run", "call", "check_call", "check_output")}
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (node.func.attr == "communicate" or ast.unparse(node.func) in waiting)
        and id(node) not in awaited
        and "timeout" not in {keyword.arg for keyword in node.keywords}
    ]


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


def test_public_names_have_docstrings() -> None:
    bare = []
    for path in _SOURCES:
        tree = ast.parse(path.read_text())
        bare += [] if ast.get_docstring(tree) or not tree.body else [f"{_module(path)}: the module"]
        bare += [f"{_module(path)}: {name}" for name, node in _public(tree) if not ast.get_docstring(node)]
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
