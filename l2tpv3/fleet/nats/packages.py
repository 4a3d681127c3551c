"""The packages that only a fleet with NATS needs, imported when they are used."""

from __future__ import annotations

import importlib
from typing import Any

from l2tpv3.errors import UnavailableError
from l2tpv3.optional_packages import install_command


def nats() -> Any:
    """The package `nats` of nats-py. Raises UnavailableError."""
    return _imported("nats", "nats-py")


def nkeys() -> Any:
    """The package `nkeys`. Raises UnavailableError."""
    return _imported("nkeys", "nkeys")


def _imported(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise missing_package(package) from error


def missing_package(package: str) -> UnavailableError:
    """The error for a package that is not installed."""
    problem = f"the Python package {package} is not installed"
    return UnavailableError("a fleet with NATS", problem, f"{install_command('fleet')} installs it")
