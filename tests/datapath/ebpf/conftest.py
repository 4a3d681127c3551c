"""Ends of pseudowires for the ebpf datapath's tests."""

from __future__ import annotations

import pytest

from tests.datapath.ebpf.ends import EbpfEnd
from tests.hosts import Host


@pytest.fixture
def ends(underlay: tuple[Host, Host]) -> tuple[EbpfEnd, EbpfEnd]:
    """Two hosts that see each other, each with its ebpf datapath, nothing made yet."""
    return EbpfEnd.on(underlay[0]), EbpfEnd.on(underlay[1])
