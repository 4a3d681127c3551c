"""Builds a scenario's network: a namespace for each host, a veth pair for each link. A few `ip -b` calls, no more."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable

from labrunner.errors import LabError
from labrunner.identity import Identity
from labrunner.scenario import End, Host, Scenario


def build(run: Identity, scenario: Scenario) -> None:
    """Make the network, and each host's pair of directories. Raises LabError with what `ip` said."""
    for host in scenario.hosts:
        for place in ("state", "run"):
            (run.folder / host.name / place).mkdir(parents=True, mode=0o700)
    _batch(run, [], _namespaces_and_links(run, scenario))
    for host in scenario.hosts:
        _batch(run, ["-n", run.netns(host.name)], _host_lines(host, scenario))
        _sysctls(run, host)


def _namespaces_and_links(run: Identity, scenario: Scenario) -> Iterable[str]:
    for host in scenario.hosts:
        yield f"netns add {run.netns(host.name)}"
    for link in scenario.links:
        a, b = (f"netns {run.netns(end.host)} mtu {link.mtu}" for end in (link.a, link.b))
        yield f"link add {link.a.netdev} {a} type veth peer name {link.b.netdev} {b}"


def _host_lines(host: Host, scenario: Scenario) -> Iterable[str]:
    yield "link set lo up"
    for link in scenario.links:
        for end in (link.a, link.b):
            if end.host == host.name:
                yield from _end_lines(end)
    yield from host.ip


def _end_lines(end: End) -> Iterable[str]:
    for address in end.addresses:
        # Duplicate address detection would keep an IPv6 address unusable for its first second.
        yield f"addr add {address} dev {end.netdev}" + (" nodad" if ":" in address else "")
    yield f"link set {end.netdev} up"


def _sysctls(run: Identity, host: Host) -> None:
    """Written through /proc: procps' sysctl is not on every machine, and /proc/sys/net is the opener's namespace's."""
    if not host.sysctl:
        return
    pairs = [f"{name.replace('.', '/')}={value}" for name, value in host.sysctl.items()]
    script = 'for pair; do echo "${pair#*=}" >"/proc/sys/${pair%%=*}" || exit; done'
    _checked(run, ["ip", "netns", "exec", run.netns(host.name), "sh", "-c", script, "sh", *pairs], "")


def _batch(run: Identity, options: list[str], lines: Iterable[str]) -> None:
    _checked(run, ["ip", *options, "-b", "-"], "".join(f"{line}\n" for line in lines))


def _checked(run: Identity, command: list[str], text: str) -> None:
    """The commands carry the run's mark: if the runner is killed meanwhile, the clean-up ends them first."""
    done = subprocess.run(
        command, input=text, text=True, capture_output=True, check=False, env=run.marked_environment()
    )
    if done.returncode:
        raise LabError(f"can't build the network: {' '.join(command)}: {done.stderr.strip()}\n{text}")
