"""Loads files: finds them, reads all, and merges them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from l2tpv3.config.conflicts import find_clashes
from l2tpv3.config.document import read_document, read_sent
from l2tpv3.config.link_reader import ReadLink
from l2tpv3.config.problem import ConfigError, Problem
from l2tpv3.config.reader import EnoughError, Findings, Reader, ReadTunnel
from l2tpv3.errors import from_errno
from l2tpv3.model.desired import Desired
from l2tpv3.model.fields import EVERY
from l2tpv3.paths import config_directory

DATAPATHS = ("auto", *EVERY)
"""What `datapath` may be."""


def load(
    paths: Iterable[str | os.PathLike[str]],
    *,
    warn: Callable[[Problem], None] | None = None,
    datapaths: Collection[str] = DATAPATHS,
) -> list[Desired]:
    """The tunnels of all the files, in the order of files and of each file, and then the links.

    warn: is called with what is doubtful but no error, when there is none. datapaths: the words that `datapath` may
    have. Nothing but files is touched. Raises ConfigError, with what is wrong in any of them, the
    first PROBLEMS_MAX of it.
    """
    findings = Findings()
    tunnels: list[ReadTunnel] = []
    links: list[ReadLink] = []
    files = list({Path(path).absolute(): Path(path) for path in paths}.values())
    with contextlib.suppress(EnoughError):
        for file in files:
            document = read_document(file)
            if isinstance(document, Problem):
                findings.problems.append(document)
            else:
                reader = Reader(document, datapaths, findings)
                tunnels += reader.tunnels()
                links += reader.links()
    find_clashes(tunnels, links, findings)
    if findings.problems:
        order = {file: number for number, file in enumerate(files)}
        raise ConfigError(sorted(findings.problems, key=lambda one: (order[one.file], one.line)))
    if warn is not None:
        for warning in findings.warnings:
            warn(Problem.at(*warning))
    return [*(tunnel.wanted for tunnel in tunnels), *(link.wanted for link in links)]


def load_sent(data: bytes, what: str) -> list[Desired]:
    """The tunnels and links of a file's content that came from elsewhere: it can name no file of this host to be read.

    what: its name in errors. Raises ConfigError.
    """
    document = read_sent(data, Path(what))
    if isinstance(document, Problem):
        raise ConfigError([document])
    findings = Findings()
    with contextlib.suppress(EnoughError):
        reader = Reader(document, DATAPATHS, findings)
        tunnels, links = reader.tunnels(), reader.links()
        find_clashes(tunnels, links, findings)
    if findings.problems:
        raise ConfigError(findings.problems)
    return [*(tunnel.wanted for tunnel in tunnels), *(link.wanted for link in links)]


def config_files(directory: str | os.PathLike[str] | None = None) -> list[Path]:
    """The `*.toml` of the configuration directory, sorted by name, hidden ones left out.

    directory: None is $L2TPV3_CONFIG_DIR or /etc/l2tpv3. One that is not there is no empty one: NotFoundError, lest
    a slip be taken for the wish to have no tunnels. Raises NotPermittedError, RefusedError too.
    """
    place = config_directory() if directory is None else Path(directory)
    try:
        files = sorted(place.iterdir())
    except OSError as error:
        remedy = "make it, set L2TPV3_CONFIG_DIR, or give files" if isinstance(error, FileNotFoundError) else ""
        raise from_errno(str(place), "list this directory", error.errno or 0, remedy) from error
    return [file for file in files if file.suffix == ".toml" and not file.name.startswith(".")]
