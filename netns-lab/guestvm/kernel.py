"""Debian's stock kernel: its package downloaded once, unpacked into the cache, its image made quick to boot."""

from __future__ import annotations

import fcntl
import gzip
import lzma
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from guestvm.needs import Missing, as_root, find

# Debian's metapackage names the image, which holds everything; Ubuntu's names an image whose modules are packed apart.
_METAPACKAGES = ("linux-image-amd64", "linux-image-generic")
_METAPACKAGES_OF_A_VERSION = ("linux-image-{}-amd64", "linux-image-generic-{}")


@dataclass(frozen=True)
class Kernel:
    """A kernel in the cache: its release (`uname -r`), what QEMU boots, and the folder with lib/modules/RELEASE."""

    release: str
    image: Path
    tree: Path

    @property
    def modules(self) -> Path:
        """The folder that is /lib/modules/RELEASE in the guest."""
        return self.tree / "lib" / "modules" / self.release

    def module_files(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The named modules and what they depend on: (file name, uncompressed bytes) in the order to load them.

        Names that are built in are left out; one that does not exist raises Missing.
        """
        listed = dict(line.split(":", 1) for line in (self.modules / "modules.dep").read_text().splitlines())
        by_name = {_module_name(path): path for path in listed}
        builtin = {_module_name(line) for line in (self.modules / "modules.builtin").read_text().splitlines()}
        done: set[str] = set()
        for name in names:
            path = by_name.get(name)
            if path is None:
                if name in builtin:
                    continue
                raise Missing(f"kernel {self.release} has no module {name}")
            # modules.dep lists dependencies in the reverse of the order in which they load
            for each in [*reversed(listed[path].split()), path]:
                if each not in done:
                    done.add(each)
                    yield f"{_module_name(each)}.ko", _uncompressed(self.modules / each)


def _module_name(path: str) -> str:
    return Path(path).name.split(".ko")[0].replace("-", "_")


def _uncompressed(path: Path) -> bytes:
    """A module's bytes: newer Debian kernels ship .ko.xz, Ubuntu's .ko.zst; busybox's insmod takes neither."""
    if path.suffix == ".xz":
        return lzma.decompress(path.read_bytes())
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".zst":
        return subprocess.run([find("zstd"), "-dcq", path], check=True, stdout=subprocess.PIPE).stdout
    return path.read_bytes()


def cached(cache: Path, version: str | None = None) -> Kernel:
    """The kernel in the cache folder, fetched there first when it is not. Raises Missing.

    version: as Debian's packages name it, `6.12`; None is the distribution's usual one.
    """
    home = cache / (f"kernel-{version}" if version else "kernel")
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two guests started at once fetch it once
        if not (home / "ready").exists():
            _fetch(home, version)
    release = (home / "ready").read_text().strip()
    return Kernel(release, home / "image", home)


def _fetch(home: Path, version: str | None) -> None:
    packages = _packages([one.format(version) for one in _METAPACKAGES_OF_A_VERSION] if version else _METAPACKAGES)
    print(f"guest: fetching {' '.join(packages)}, once, into {home}", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix="fetch-") as scratch:
        tree = Path(scratch) / "tree"
        tree.mkdir()
        try:
            # apt's own user could not write into our cache, and says so at length
            download = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *packages]
            subprocess.run(download, cwd=scratch, check=True, stdout=sys.stderr)
            for package in Path(scratch).glob("*.deb"):
                subprocess.run(["dpkg", "-x", package, tree], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise Missing(f"cannot fetch the kernel: {error}") from error
        (image,) = (tree / "boot").glob("vmlinuz-*")
        release = image.name.removeprefix("vmlinuz-")
        if not (tree / "lib" / "modules").exists():  # packages of a merged-/usr system
            (tree / "lib").symlink_to("usr/lib")
        subprocess.run([find("depmod"), "-b", tree, release], check=True)
        (tree / "image").write_bytes(quick_image(image.read_bytes()))
        (tree / "ready").write_text(release)
        shutil.rmtree(home, ignore_errors=True)
        tree.rename(home)


def _packages(metapackages: Sequence[str]) -> list[str]:
    for attempt in range(2):
        for metapackage in metapackages:
            listed = subprocess.run(["apt-cache", "depends", metapackage], capture_output=True, text=True, check=False)
            found = re.search(r"Depends: (linux-image-(\d\S*))", listed.stdout)
            if found and "generic" in metapackage:
                return [found[1], f"linux-modules-{found[2]}", f"linux-modules-extra-{found[2]}"]
            if found:
                return [found[1]]
        if attempt == 0:  # a fresh machine has no package lists yet
            as_root("apt-get", "-qq", "update")
    raise Missing(f"apt knows none of {' '.join(metapackages)}")


def quick_image(bzimage: bytes) -> bytes:
    """The ELF kernel inside a bzImage, or the bzImage as it is when it cannot be had.

    An emulated CPU takes seconds over unpacking a bzImage (Documentation/arch/x86/boot.rst says where its payload is);
    QEMU boots the ELF kernel at once through its PVH entry.
    """
    setup_sectors = bzimage[0x1F1]
    offset, length = struct.unpack_from("<II", bzimage, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    payload = bzimage[start : start + length]
    try:
        elf = _unpacked(payload)
    except (lzma.LZMAError, zlib.error, OSError, Missing, subprocess.CalledProcessError):
        return bzimage
    return elf if elf.startswith(b"\x7fELF") else bzimage


def _unpacked(payload: bytes) -> bytes:
    # the payload ends with its unpacked size, which decompressor objects leave over and lzma.decompress would choke on
    if payload.startswith(b"\xfd7zXZ"):
        return lzma.LZMADecompressor().decompress(payload)
    if payload.startswith(b"\x1f\x8b"):
        return zlib.decompressobj(wbits=31).decompress(payload)
    if payload.startswith(b"\x28\xb5\x2f\xfd"):
        packed = payload[:-4]
        return subprocess.run([find("zstd"), "-dcq"], input=packed, check=True, stdout=subprocess.PIPE).stdout
    return b""
