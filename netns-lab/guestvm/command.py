"""The command line of netns-lab/guest."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shlex
import shutil
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from pathlib import Path

from guestvm import initrd, kernel, machine, needs

_TIMED_OUT = 124  # as timeout(1)
_NOT_UP = 125
_FORWARDED = re.compile(r"PATH|HOME|LANG|LC_\w+|TERM|NO_COLOR|CI|VIRTUAL_ENV|(PY|L2TP|HYPOTHESIS)\w*")

_TO_BOOT = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay")
_L2TP = ("l2tp_netlink", "l2tp_eth", "l2tp_ip", "l2tp_ip6")
_USUAL = (
    "bridge", "br_netfilter", "veth", "tun", "8021q", "macvlan", "macvtap", "ipvlan", "bonding", "dummy", "vrf",
    "vxlan", "sch_netem", "sch_ingress", "cls_bpf", "cls_matchall", "cls_u32", "cls_flower", "act_mirred", "act_vlan",
    "tcp_bbr", "nf_tables", "af_packet_diag",
)  # fmt: skip

_DESCRIPTION = """\
Run COMMAND on Debian's stock kernel, which has l2tp_eth, in QEMU, over this machine's own files: every program and
virtual environment here works there. The root file system is read-only under an overlay that is thrown away; DIR is
shared read-write at its own path and is where COMMAND runs. Without COMMAND: a shell on this terminal.
"""
_EPILOG = """\
The exit status is COMMAND's; 124 when it ran out of time, 125 when the guest did not come up. Its standard input is
empty, its standard output and error are ours. PATH, HOME, LANG, LC_*, TERM, NO_COLOR, CI, VIRTUAL_ENV, PY*, L2TP* and
HYPOTHESIS* are passed on. /lib/modules holds the guest's modules: modprobe and the kernel's own loading work.

environment:
  L2TPV3_GUEST_TIMEOUT  seconds that it may take in all (900)
  L2TPV3_GUEST_MEMORY   MiB (2048)
  L2TPV3_GUEST_CPUS     CPUs (as many as there are here, 4 at most)
  L2TPV3_GUEST_MODULES  modules to load as well
  L2TPV3_GUEST_KVM      0: never use /dev/kvm
  L2TPV3_GUEST_CACHE    where the kernel is kept (~/.cache/l2tpv3-guest)

examples:
  netns-lab/guest ip l2tp show tunnel
  netns-lab/guest .venv/bin/pytest -m kernel_l2tp
  netns-lab/guest --systemd systemd-networkd.service -- networkctl
  netns-lab/guest --kernel 6.12 uname -r
  netns-lab/guest --no-l2tp -- sh -c 'modprobe l2tp_eth && lsmod | grep l2tp'
"""


def main(argv: list[str]) -> int:
    """Run one guest; the exit status."""
    arguments = _parser().parse_args(argv)
    command: list[str] = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command and not (os.isatty(0) and os.isatty(1)):
        print("guest: no COMMAND, and no terminal for a shell; see --help", file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    try:
        return _run(arguments, command)
    except needs.Missing as error:
        print(f"guest: {error}", file=sys.stderr)
        return _NOT_UP
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        return 128 + signal.SIGPIPE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="guest", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "-w", dest="share", metavar="DIR", type=Path, default=Path(), help="default: the current folder"
    )
    parser.add_argument(
        "--kernel", metavar="VERSION", help="the kernel that Debian packages as 6.12, say; default: its usual"
    )
    parser.add_argument("--no-l2tp", action="store_true", help="boot without the l2tp modules loaded")
    parser.add_argument(
        "--files", metavar="DIR", type=Path, help="copy what is in DIR over the machine's files, for this boot"
    )
    parser.add_argument(
        "--systemd",
        metavar="UNIT,UNIT...",
        help="boot systemd, which starts these units, what they need, and COMMAND as a service: nothing else",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="show the guest's console on standard error")
    parser.add_argument("command", metavar="COMMAND", nargs=argparse.REMAINDER)
    return parser


def _run(arguments: argparse.Namespace, command: list[str]) -> int:
    if os.uname().machine != "x86_64":
        raise needs.Missing("the guest runs this machine's programs on an amd64 kernel: it needs an amd64 machine")
    needs.install_missing()
    cache = Path(os.environ.get("L2TPV3_GUEST_CACHE") or _default_cache())
    plan = machine.Plan(
        kernel=kernel.cached(cache, arguments.kernel),
        share=arguments.share.resolve(),
        memory_mib=int(os.environ.get("L2TPV3_GUEST_MEMORY", "2048")),
        cpus=int(os.environ.get("L2TPV3_GUEST_CPUS", min(4, os.cpu_count() or 1))),
        timeout_s=float(os.environ.get("L2TPV3_GUEST_TIMEOUT", "900")),
        tty=not command,
        systemd=arguments.systemd is not None,
        verbose=arguments.verbose,
    )
    files = _files(plan, command or [os.environ.get("SHELL", "/bin/bash")], l2tp=not arguments.no_l2tp)
    if arguments.files:
        files["files"] = f"{arguments.files.resolve()}\n"
    if plan.systemd:
        files["systemd"] = " ".join(arguments.systemd.split(",")) + "\n"
    image = initrd.build(Path(needs.find("busybox")), plan.kernel.module_files(_TO_BOOT), files)
    kvm = os.environ.get("L2TPV3_GUEST_KVM") != "0" and machine.kvm_works(cache)
    with _raw_terminal() if plan.tty else contextlib.nullcontext():
        outcome = machine.Machine(plan, image, kvm=kvm).run()
        if kvm and not outcome.came_up:
            machine.kvm_failed(cache)
            outcome = machine.Machine(plan, image, kvm=False).run()
    return _report(outcome)


def _default_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "l2tpv3-guest"


def _files(plan: machine.Plan, command: list[str], *, l2tp: bool) -> dict[str, str]:
    """What the guest's first process reads: the modules to load, the folder, and the command with its environment."""
    extra = os.environ.get("L2TPV3_GUEST_MODULES", "").split()
    forwarded = {name: value for name, value in os.environ.items() if _FORWARDED.fullmatch(name)}
    script = [f"export {name}={shlex.quote(value)}" for name, value in forwarded.items()]
    script.append(f"cd -- {shlex.quote(str(plan.share))} || exit")
    if plan.tty:
        size = shutil.get_terminal_size()
        script.append(f"stty rows {size.lines} cols {size.columns}")
    script.append("exec " + shlex.join(command))
    files = {
        "share": str(plan.share),
        "modules": " ".join([*_USUAL, *(_L2TP if l2tp else ()), *extra]) + "\n",
        "command": "\n".join(script) + "\n",
    }
    return files | ({"tty": ""} if plan.tty else {})


@contextlib.contextmanager
def _raw_terminal() -> Iterator[None]:
    """Keys go to the guest one by one and untouched, Ctrl-C too."""
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


def _report(outcome: machine.Outcome) -> int:
    if outcome.status is not None:
        return outcome.status
    print(f"guest: {outcome.reason}", file=sys.stderr)
    if outcome.came_up and outcome.reason.startswith("timed out"):
        return _TIMED_OUT
    sys.stderr.write(outcome.console.decode(errors="replace")[-4000:] + "\n")
    return _NOT_UP
