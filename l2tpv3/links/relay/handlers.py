"""Carries out a worker's requests about virtual cards: takes one, reports them, lets one go."""

from __future__ import annotations

import os
from collections.abc import Callable

from l2tpv3.datapath.user.forwarding.tap_port import TapPort
from l2tpv3.links.relay.card import Card
from l2tpv3.worker.loop import Loop
from l2tpv3.worker.requests import Answer, Fields, Operation


class Cards:
    """All cards of a worker. on_empty: called when the last one is gone; says whether the worker ends."""

    def __init__(self, loop: Loop, on_empty: Callable[[], bool]) -> None:
        self._loop = loop
        self._on_empty = on_empty
        self._cards: dict[str, tuple[Card, TapPort]] = {}
        self._nics: dict[tuple[int, int, int], dict[bytes, Card]] = {}
        self.operations: dict[str, Operation] = {
            "add_card": self._add,
            "del_card": self._delete,
            "cards": self._report,
        }

    @property
    def empty(self) -> bool:
        """Whether there is none."""
        return not self._cards

    def _add(self, message: Fields, fds: list[int]) -> Answer:
        """Add a card. files: the TAP, and the packet sockets for frames without and with a tag."""
        mark, nic, mac = str(message["mark"]), _nic(message), bytes.fromhex(message["mac"].replace(":", ""))
        if mark in self._cards:
            raise ValueError("it has that card already")
        if mac in self._nics.get(nic, ()):
            raise ValueError(f"a card on that NIC has MAC address {message['mac']} already")
        if len(fds) != 3 or len(mac) != 6:
            raise ValueError("a card comes with three files and a MAC address")
        tap, *both = fds
        for fd in both:
            os.set_blocking(fd, False)
        port = TapPort(tap)
        port.persist()
        card = Card(mark, mac, tap, *both)
        fds.clear()
        neighbours = self._nics.setdefault(nic, {})
        neighbours[mac] = card
        card.meet(neighbours)
        self._cards[mark] = card, port
        self._loop.watch(card.packets_fd, card.from_nic)
        self._loop.watch(card.tagged_fd, card.from_nic_tagged)
        self._loop.watch(tap, card.from_tap)
        return {}, []

    def _delete(self, message: Fields, fds: list[int]) -> Answer:
        """keep: its netdev stays. The TAP's file goes back to who asked."""
        card, port = self._cards.pop(str(message["mark"]))
        for fd in (card.tap_fd, card.packets_fd, card.tagged_fd):
            self._loop.forget(fd)
        for nic, neighbours in list(self._nics.items()):
            if neighbours.get(card.mac) is card:
                del neighbours[card.mac]
                if not neighbours:
                    del self._nics[nic]
        card.close()
        if not message.get("keep"):
            port.forget()
        if not self._cards:
            self._on_empty()
        return {}, [card.tap_fd]

    def _report(self, message: Fields, fds: list[int]) -> Answer:
        cards = []
        for nic, neighbours in self._nics.items():
            for card in neighbours.values():
                card.count_drops()
                cards.append(
                    {
                        "mark": card.mark,
                        "nic": nic,
                        "rx_packets": card.rx_packets,
                        "rx_errors": card.rx_errors,
                        "rx_dropped": card.rx_dropped,
                        "tx_packets": card.tx_packets,
                        "tx_errors": card.tx_errors,
                    }
                )
        return {"cards": cards}, []


def _nic(message: Fields) -> tuple[int, int, int]:
    """Identify a NIC by its namespace's device and inode, and its index there."""
    device, inode, index = message["nic"]
    return int(device), int(inode), int(index)
