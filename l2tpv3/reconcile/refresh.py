"""Re-applies sessions whose route, netdev or IPsec policy changed."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping

from l2tpv3.datapath.base import Datapath, HasWorkers, Refreshable
from l2tpv3.errors import NotFoundError, NotPermittedError
from l2tpv3.linux.filelock import exclusive
from l2tpv3.model.record import resolved, standing_session
from l2tpv3.model.spec import SessionSpec, TunnelSpec
from l2tpv3.paths import Paths
from l2tpv3.store.database import Store

LOCK_TIMEOUT_S = 120.0


class Refresher:
    """Re-applies sessions of one host. Call `refresh` now and then."""

    def __init__(self, paths: Paths, store: Store, datapaths: Mapping[str, Datapath]) -> None:
        self._paths, self._store = paths, store
        self._datapaths = {name: one for name, one in datapaths.items() if isinstance(one, Refreshable)}

    def refresh(self, names: Collection[str] | None = None, *, timeout_s: float = LOCK_TIMEOUT_S) -> list[str]:
        """Re-apply outdated sessions, without an interruption. Returns the names of their tunnels.

        names: only these tunnels; None is all on record. Raises BusyError when another change takes longer than
        `timeout_s`.
        """
        # The record of a host that has no such tunnels is not read for this, which may be long.
        working = {name for name, one in self._datapaths.items() if not isinstance(one, HasWorkers) or one.workers()}
        if not working or not any(True for _ in self._outdated(working, names)):
            return []
        done: set[str] = set()
        with exclusive(self._paths.runtime, timeout_s=timeout_s):
            for datapath, tunnel, sessions in self._outdated(working, names):
                for session in sessions:
                    with contextlib.suppress(NotFoundError):  # its worker has died
                        datapath.set_session(tunnel, session)
                        done.add(tunnel.name)
        return sorted(done)

    def _outdated(
        self, working: set[str], names: Collection[str] | None
    ) -> Iterator[tuple[Datapath, TunnelSpec, list[SessionSpec]]]:
        for name, record in self._store.load().tunnels.items():
            if record.datapath not in working or (names is not None and name not in names):
                continue
            datapath, tunnel = self._datapaths[record.datapath], resolved(record)
            # Its namespace may be gone; and who may not look at programs can't tell.
            with contextlib.suppress(NotFoundError, NotPermittedError):
                found = datapath.outdated(tunnel, [standing_session(one) for one in record.sessions])
                if found:
                    yield datapath, tunnel, found
