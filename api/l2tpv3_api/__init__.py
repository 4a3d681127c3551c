"""The REST service: thin over l2tpv3.manager, as the command line is. See docs/api.md."""

from __future__ import annotations

from l2tpv3_api.app import create_app
from l2tpv3_api.service import Service

__all__ = ["Service", "create_app"]
