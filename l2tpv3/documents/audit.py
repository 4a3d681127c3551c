"""The log of changes as JSON, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from l2tpv3.documents.schemas import AUDIT_SCHEMA
from l2tpv3.store.database import AuditEntry


def audit_document(entries: Iterable[AuditEntry]) -> dict[str, Any]:
    """The document that `log --json` prints, oldest first."""
    return {"schema": AUDIT_SCHEMA, "entries": list(map(audit_entry_to_json, entries))}


def audit_entry_to_json(entry: AuditEntry) -> dict[str, Any]:
    """One change of the audit log, as values that the json module can write."""
    return {"at": datetime.fromtimestamp(entry.at, UTC).isoformat(), "who": entry.who, "what": entry.what}


def audit_entry_from_json(document: Mapping[str, Any]) -> AuditEntry:
    """The inverse of audit_entry_to_json."""
    at = datetime.fromisoformat(document["at"]).timestamp()
    return AuditEntry(at=at, who=document["who"], what=document["what"])
