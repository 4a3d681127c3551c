"""One browser for all tests of the dashboard, and services for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.dashboard.browser import Browser, chromium
from tests.api.running import Running, running


@pytest.fixture(scope="session")
def _chromium() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture
def browser(_chromium: Browser) -> Browser:
    """A browser, as wide as a desk, light."""
    _chromium.look()
    _chromium.complaints()
    return _chromium


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    """A service over the in-memory datapath, for all tests of a file."""
    with running("--unix", "none", "--listen", "127.0.0.1:0") as one:
        yield one
