"""Ports that follow their far end: a cable that is pulled at one end shows as a lost link at the other.

A session's worker tells the far end and hears it; it may not touch the NIC, which is done here, with privilege. So this
has to run at both ends; while it does not, nothing changes: NICs stay as they are, and workers go on telling what they
were told last.
"""

from __future__ import annotations

import contextlib
import time
from typing import Protocol

from l2tpv3.datapath.base import SignalledCircuit
from l2tpv3.errors import L2tpError, from_errno
from l2tpv3.linux.netlink.multicast import Overrun
from l2tpv3.linux.netlink.rtnetlink import CARRIER, UP, RouteSocket
from l2tpv3.liveness.link_loss_rules import LinkLossRules
from l2tpv3.model.links.record import FollowingPort
from l2tpv3.model.spec import CircuitKey
from l2tpv3.watch.netdev_events import LinkListener


class Telling(Protocol):
    """The part of a host (l2tpv3.host.manager.Manager) that is needed here. Both methods raise L2tpError."""

    def following_ports(self) -> list[FollowingPort]:
        """The ports on record that follow their far end."""

    def tell_circuits(self, told: dict[CircuitKey, SignalledCircuit]) -> dict[CircuitKey, bool | None]:
        """See SignalsCircuits.circuits."""


class LinkLoss:
    """Link-loss forwarding for every port of one host.

    Call `look` when the record has changed, `step` every second and when a file of `filenos` is readable.
    """

    def __init__(self, host: Telling) -> None:
        self._host = host
        self._ports: dict[str, FollowingPort] = {}
        self._cables: dict[str, LinkLossRules] = {}
        self._heard: dict[CircuitKey, bool | None] = {}
        self._listeners: dict[str | None, LinkListener] = {}
        self._silent = False

    def look(self) -> None:
        """Read the ports that follow their far end. Raises L2tpError."""
        ports = {port.link: port for port in self._host.following_ports()}
        for name, old in self._ports.items():
            if ports.get(name) != old and self._cables.pop(name).held:
                with contextlib.suppress(L2tpError):  # the NIC may be gone
                    _set(old, up=True)
        self._ports = ports
        self._cables = {name: self._cables.get(name) or LinkLossRules() for name in ports}
        self._heard = {port.key: self._heard.get(port.key) for port in ports.values()}
        self._listen()

    def _listen(self) -> None:
        wanted = {port.netns for port in self._ports.values()}
        for netns in self._listeners.keys() - wanted:
            self._listeners.pop(netns).close()
        for netns in wanted:
            if netns not in self._listeners:
                with contextlib.suppress(
                    L2tpError, OSError
                ):  # a namespace that is not there now; looked at each second
                    self._listeners[netns] = LinkListener(netns)
        for netns, listener in self._listeners.items():
            here = [port for port in self._ports.values() if port.netns == netns]
            listener.names = {name for port in here for name in (port.nic, port.session_ifname)}

    def filenos(self) -> set[int]:
        """The file descriptors that are readable when a netdev has changed."""
        return {listener.fileno() for listener in self._listeners.values()}

    def step(self) -> None:
        """Tell the far ends of lost links here, and set NICs by what far ends tell.

        Raises the first L2tpError after all ports were tried.
        """
        for listener in self._listeners.values():
            with contextlib.suppress(Overrun):
                listener.read()
        if not self._ports and self._silent:
            return
        now = time.monotonic()
        errors: list[L2tpError] = []
        for name, port in self._ports.items():
            up, carrier = _state(port)
            self._cables[name].look(up=up, carrier=carrier, now=now)
        told = {
            port.key: SignalledCircuit(up=not self._cables[name].lost, heard=self._heard[port.key])
            for name, port in self._ports.items()
        }
        self._heard |= self._host.tell_circuits(told)
        self._silent = not told
        for name, port in self._ports.items():
            set_up = self._cables[name].follow(far=self._heard[port.key], now=now)
            if set_up is not None:
                try:
                    _set(port, up=set_up)
                except L2tpError as error:
                    errors.append(error)
        if errors:
            raise errors[0]


def _set(port: FollowingPort, *, up: bool) -> None:
    try:
        with RouteSocket(port.netns) as route:
            route.set_link(port.nic, up=up)
    except OSError as error:
        raise from_errno(f"link {port.link}", f"set {port.nic} {'up' if up else 'down'}", error.errno or 0) from error


def _state(port: FollowingPort) -> tuple[bool, bool]:
    """Whether the NIC is up and has a link. A NIC that does not exist counts as one without a cable."""
    try:
        with RouteSocket(port.netns) as route:
            flags = route.link(port.nic).flags
    except (OSError, L2tpError):
        return True, False
    return bool(flags & UP), bool(flags & CARRIER)
