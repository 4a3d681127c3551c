"""What fits through a tunnel as a JSON document, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from l2tpv3.documents.schemas import MTU_SCHEMA
from l2tpv3.model.path_mtu import PathMtu, SessionFit


def path_mtu_document(found: PathMtu) -> dict[str, Any]:
    """The document that `l2tpctl mtu --json` prints, and the API answers."""
    return {
        "schema": MTU_SCHEMA,
        "tunnel": found.tunnel,
        "remote": found.remote,
        "route_bytes": found.route,
        "path_bytes": found.path,
        "probed": found.probed,
        "sessions": [
            {
                "name": one.name,
                "mtu": one.mtu,
                "overhead": [{"part": name, "bytes": size} for name, size in one.parts],
                "overhead_bytes": one.overhead,
                "fits_bytes": one.fits,
                "full_frame_packets": one.full_packets,
                "full_frame_in_ip_fragments": one.in_fragments,
                "clamp_mss": one.clamp_mss,
            }
            for one in found.sessions
        ],
    }


def path_mtu_from_json(document: Mapping[str, Any]) -> PathMtu:
    """The inverse of path_mtu_document. Raises KeyError, ValueError or TypeError for what is not of that form."""
    path = document["path_bytes"]
    return PathMtu(
        tunnel=str(document["tunnel"]),
        remote=str(document["remote"]),
        route=int(document["route_bytes"]),
        path=None if path is None else int(path),
        probed=bool(document["probed"]),
        sessions=tuple(map(_session, document["sessions"])),
    )


def _session(document: Mapping[str, Any]) -> SessionFit:
    mtu = document["mtu"]
    return SessionFit(
        name=str(document["name"]),
        mtu=None if mtu is None else int(mtu),
        parts=tuple((str(one["part"]), int(one["bytes"])) for one in document["overhead"]),
        fits=int(document["fits_bytes"]),
        full_packets=int(document["full_frame_packets"]),
        in_fragments=bool(document["full_frame_in_ip_fragments"]),
        clamp_mss=bool(document["clamp_mss"]),
    )
