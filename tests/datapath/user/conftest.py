"""Ends of pseudowires for the user datapath's tests."""

from __future__ import annotations

import pytest

from tests.datapath.user.ends import End
from tests.hosts import Host


@pytest.fixture
def ends(underlay: tuple[Host, Host]) -> tuple[End, End]:
    """Two hosts that see each other, each with its user datapath, nothing made yet."""
    return End.on(underlay[0]), End.on(underlay[1])
