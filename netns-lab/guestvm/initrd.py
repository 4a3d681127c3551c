"""The guest's first file system: an uncompressed cpio archive made in memory (unpacking one would take longer)."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path


class Archive:
    """A cpio archive, "newc" format (the kernel's Documentation/driver-api/early-userspace/buffer-format.rst)."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._inode = 0

    def folder(self, path: str) -> None:
        """Add an empty folder."""
        self._entry(path, stat.S_IFDIR | 0o755, b"")

    def file(self, path: str, content: bytes | str, mode: int = 0o644) -> None:
        """Add a file; its folder must have been added before."""
        self._entry(path, stat.S_IFREG | mode, content.encode() if isinstance(content, str) else content)

    def sealed(self) -> bytes:
        """The archive's bytes, with its end mark."""
        self._entry("TRAILER!!!", 0, b"")
        return b"".join(self._parts)

    def _entry(self, path: str, mode: int, content: bytes) -> None:
        self._inode += 1
        name = path.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
        header = b"070701" + b"".join(b"%08x" % field for field in fields) + name
        self._parts += [header, bytes(-len(header) % 4), content, bytes(-len(content) % 4)]


def build(busybox: Path, modules: Iterable[tuple[str, bytes]], files: dict[str, str]) -> int:
    """An initrd as an open memfd, so that no file is left behind however we end.

    `modules` are (file name, bytes) in loading order; `files` go into /guest, beside init.sh and serve.sh.
    """
    here = Path(__file__).parent
    archive = Archive()
    for folder in ("bin", "dev", "proc", "sys", "modules", "lower", "upper", "work", "root", "guest"):
        archive.folder(folder)
    archive.file("bin/busybox", busybox.read_bytes(), 0o755)
    order = []
    for name, content in modules:
        archive.file(f"modules/{name}", content)
        order.append(name)
    archive.file("modules/order", "".join(f"{name}\n" for name in order))
    archive.file("init", (here / "early.sh").read_text(), 0o755)
    for script in ("init.sh", "serve.sh"):
        archive.file(f"guest/{script}", (here / script).read_text())
    for name, text in files.items():
        archive.file(f"guest/{name}", text)
    memory = os.memfd_create("initrd", 0)
    with os.fdopen(os.dup(memory), "wb") as out:
        out.write(archive.sealed())
    return memory
