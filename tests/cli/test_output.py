"""Any locale, a full disk, closed streams: a command says one thing that is true, and never "internal error"."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

L2TPCTL = Path(sys.executable).with_name("l2tpctl")
PLAIN_C = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}  # a locale whose encoding is ASCII
ENCODINGS = {
    "ascii": PLAIN_C,
    "latin-1": {"PYTHONIOENCODING": "latin-1:strict"},
    "utf-8": {"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "utf-8:strict"},
}


@pytest.fixture
def record(tmp_path: Path) -> dict[str, str]:
    """The environment of a host with a stopped tunnel in a network namespace whose name is not ASCII."""
    where = {"L2TPV3_STATE_DIR": str(tmp_path / "state"), "L2TPV3_RUNTIME_DIR": str(tmp_path / "run")}
    program = """
from l2tpv3.config import load
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3.testing.netdevs import MemoryConfigurator
from l2tpv3.host.manager import Manager
from l2tpv3.paths import Paths
datapath = MemoryDatapath()
manager = Manager(Paths.from_environment(), [datapath], MemoryConfigurator(datapath, frozenset()))
manager.add_tunnel("siteb", {"remote": "127.0.0.2"})
manager.add_session("siteb", "lan", {"netns": "büro→"})
manager.set_session("siteb", "lan", {"mtu": "1300"})
manager.down()
"""
    subprocess.run([sys.executable, "-c", program], check=True, env=os.environ | where)
    (tmp_path / "b.toml").write_text('[tunnel.siteb]\nremote = "127.0.0.3"\nsession.lan.mtu = 1300\n')
    return where | {"FILE": str(tmp_path / "b.toml")}


def _run(line: str, environment: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    """What the line does in a shell, in which `ctl` is l2tpctl."""
    script = f'ctl() {{ {L2TPCTL} "$@"; }}; {line}'
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG", "PYTHON"))}
    return subprocess.run(["bash", "-c", script], capture_output=True, check=False, env=clean | environment)


@pytest.mark.root
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_shows_what_it_can(record: dict[str, str], encoding: str) -> None:
    environment = record | ENCODINGS[encoding]
    done = _run("ctl; ctl plan -f $FILE; ctl log; ctl tunnel show $'b\\xfc\\xff'", environment)
    assert b"internal error" not in done.stderr and b"Traceback" not in done.stderr, done.stderr
    if encoding == "ascii":
        assert b"LC_ALL=C.UTF-8 l2tpctl" in done.stderr, "a path with the namespace's name can't be written"
    else:
        assert b"tunnel siteb" in done.stdout
    assert ("1300" if encoding == "utf-8" else "-> 1300").encode() in done.stdout, done.stdout
    entries = json.loads(_run("ctl log --json", environment).stdout.decode("utf-8"))["entries"]
    assert any("→ 1300" in entry["what"] for entry in entries), "JSON is UTF-8 anywhere"
    exported = _run("ctl export; echo '[x]'; ctl export -o /dev/stdout | sed s/siteb/sitec/", environment).stdout
    wanted = tomllib.loads(exported.decode("utf-8"))["tunnel"]
    assert {one["session"]["lan"]["netns"] for one in wanted.values()} == {"büro→"}, "and so is TOML"


FULL, CLOSED = "No space left on device", "Bad file descriptor"


@pytest.mark.root
@pytest.mark.parametrize("words", ["", "--help", "log --json", "plan -f $FILE"])
@pytest.mark.parametrize(("where", "says"), [("> /dev/full", FULL), (">&-", CLOSED)])
def test_output_that_cant_be_written_is_one_message(record: dict[str, str], words: str, where: str, says: str) -> None:
    done = _run(f"ctl {words} {where}", record)
    told = done.stderr.decode().splitlines()[-1]
    if "--json" in words:
        error = json.loads(told)["error"]
        told = f"l2tpctl: {error['subject']}: {error['problem']}; {error['remedy']}"
    assert done.returncode == 2 and told.startswith(f"l2tpctl: standard output: can't write to it: {says}; "), done
    assert done.stderr.count(b"standard output") == 1


@pytest.mark.root
@pytest.mark.parametrize("where", ["2> /dev/full", "2>&-", "2> >(exec true)"])
def test_messages_that_cant_be_written_end_nothing(record: dict[str, str], where: str) -> None:
    done = _run(f"ctl export {where} > $FILE.out && ctl tunnel show nosuch {where}", record)
    assert (done.returncode, done.stdout, done.stderr) == (3, b"", b""), "prose never goes to stdout instead"
    assert tomllib.loads(Path(record["FILE"] + ".out").read_text())["tunnel"]["siteb"]


@pytest.mark.root
def test_nothing_that_is_opened_gets_the_number_of_a_closed_stream(record: dict[str, str]) -> None:
    done = _run("ctl tunnel del siteb <&- >&- 2>&- && ctl log --json && ctl export", record)
    assert done.returncode == 0 and len(json.loads(done.stdout)["entries"]) >= 5 and b"siteb" not in done.stderr


@pytest.mark.root
def test_a_token_that_could_not_be_printed_is_revoked(record: dict[str, str]) -> None:
    done = _run("ctl token add laptop > /dev/full; ctl token show", record)
    assert b"laptop" not in done.stdout and FULL.encode() in done.stderr
