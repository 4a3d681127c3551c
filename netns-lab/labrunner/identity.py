"""A run's name, its folders, and what a process of it looks like from outside."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labrunner.errors import LabError

REPOSITORY = Path(__file__).resolve().parents[2]
RUNS = Path("/run/l2tpv3-lab")
"""A folder for each run: its hosts' records and run-time files, captures, logs."""

MARK = "L2TPV3_LAB_RUN"
"""The environment variable that every process started by a run carries, by which the clean-up knows it."""


@dataclass(frozen=True)
class Identity:
    """A run by its name, `lab-<pid of the runner>`; its network namespaces are called `<name>-<host>`."""

    name: str

    @classmethod
    def own(cls) -> Identity:
        """That of this process."""
        return cls(f"lab-{os.getpid()}")

    @property
    def folder(self) -> Path:
        return RUNS / self.name

    def netns(self, host: str) -> str:
        """The network namespace of a host."""
        return f"{self.name}-{host}"

    def shown(self, text: str) -> str:
        """`text` with the hosts' short names, as people know them."""
        return text.replace(f"{self.name}-", "")

    def make_folder(self) -> None:
        """Create the folder and say whose it is: pid and start time, since pids come back."""
        self.folder.mkdir(parents=True, mode=0o700)
        (self.folder / "owner").write_text(f"{os.getpid()} {start_time(os.getpid())}\n")

    def alive(self) -> bool:
        """Whether its runner still runs."""
        try:
            pid, started = (self.folder / "owner").read_text().split()
        except (OSError, ValueError):
            return False
        return start_time(int(pid)) == started

    def marked_environment(self) -> dict[str, str]:
        """For any process of the run."""
        return base_environment() | {MARK: self.name}

    def environment(self, host: str) -> dict[str, str]:
        """For a command of a host: its own pair of directories makes it a host of its own for l2tpctl."""
        return self.marked_environment() | {
            "L2TPV3_STATE_DIR": str(self.folder / host / "state"),
            "L2TPV3_RUNTIME_DIR": str(self.folder / host / "run"),
        }


def base_environment() -> dict[str, str]:
    """Ours, with the project's programs first in PATH."""
    environment = dict(os.environ, PATH=f"{bin_folder()}:{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if os.geteuid() == 0 and REPOSITORY.stat().st_uid != 0:
        # Started with sudo in somebody's checkout: leave no files of root's there.
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
    return environment


def bin_folder() -> Path:
    """Where l2tpctl and a Python that has the project's libraries are. Raises LabError."""
    for folder in (REPOSITORY / ".venv" / "bin", Path(sys.executable).parent):
        if (folder / "l2tpctl").exists():
            return folder
    raise LabError("l2tpctl is not installed here; `netns-lab/demo --setup` makes .venv with it")


def start_time(pid: int) -> str:
    """When a process started, in clock ticks since boot, as text; "" when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]


def all_runs() -> Iterator[Identity]:
    """Every run that left a folder or a network namespace."""
    folders = {path.name for path in RUNS.iterdir()} if RUNS.is_dir() else set()
    spaces = {"-".join(name.split("-")[:2]) for name in netns_names() if name.startswith("lab-")}
    for name in sorted(folders | spaces):
        if name.removeprefix("lab-").isdigit():
            yield Identity(name)


def netns_names() -> list[str]:
    """The named network namespaces of this machine."""
    try:
        return sorted(path.name for path in Path("/run/netns").iterdir())
    except FileNotFoundError:
        return []
