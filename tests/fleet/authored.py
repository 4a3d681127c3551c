"""Fleets for tests."""

from __future__ import annotations

from pathlib import Path

from l2tpv3.fleet.model import Fleet
from l2tpv3.fleet.reader import read_fleet


def fleet_of(folder: Path, hosts: int, *tables: str, reach: str = "nats", net: str = "192.0.2") -> Fleet:
    """A fleet of so many hosts, h1, h2 ..., with these tables. net: the first three numbers of their addresses."""
    texts = [f'[host.h{n}]\nreach = "{reach.format(n=n)}"\naddress = "{net}.{n}"\n' for n in range(1, hosts + 1)]
    file = folder / "fleet.toml"
    file.write_text("\n".join([*texts, *tables]))
    return read_fleet(file)
