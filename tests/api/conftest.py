"""An app of its own for each test, over the in-memory datapath."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from l2tpv3 import Manager, Paths
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3.testing.netdevs import MemoryConfigurator
from l2tpv3_api import Service, create_app
from l2tpv3_api.auth.allow_all import AllowAll
from tests.memory_links import memory_makers


@pytest.fixture
def memory() -> MemoryDatapath:
    """What carries the tunnels."""
    return MemoryDatapath()


@pytest.fixture
def manager(tmp_path: Path, memory: MemoryDatapath) -> Manager:
    """A manager with a bridge br0, and NICs eth0 to eth2."""
    placer = MemoryConfigurator(memory, frozenset({(None, "br0")}))
    return Manager(Paths(tmp_path / "state", tmp_path / "run"), [memory], placer, memory_makers(placer))


@pytest.fixture
def client(manager: Manager) -> Iterator[TestClient]:
    """Someone who may do everything."""
    with TestClient(create_app(Service(manager), guard=AllowAll())) as one:
        yield one
