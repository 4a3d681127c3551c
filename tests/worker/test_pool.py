"""Where there never was a worker, looking after workers leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

from l2tpv3.worker.pool import WorkerPool


def test_looking_for_old_workers_makes_no_directory(tmp_path: Path) -> None:
    assert WorkerPool(tmp_path / "run" / "ebpf").replace_old((), set) == []
    assert not (tmp_path / "run").exists()
