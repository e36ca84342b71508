"""Where session hosts keep what they must not forget, when that is not the folder of each session."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from mautrix_whatsapp_py.whatsapp.folders import SessionFolder

ENVIRONMENT = "MAUTRIX_WHATSAPP_KEEPING"
"""The variable that tells a host; on its command line everybody could read the password."""
SCHEMA = "whatsmeow"
"""Of the library's own tables, apart from ours."""
IDLE_SECONDS = 30
"""After so long the server ends a connection of the library's that is not used."""


class Keeping(msgspec.Struct, frozen=True, kw_only=True):
    """A Postgres database, and the lease under which its sessions may be used."""

    dsn: str
    holder: str
    lease: str
    epoch: int
    grace_seconds: float = 0.0
    """How long before it has to end a host begins to, so that nothing under way is lost."""
    until: float = 0.0
    """When a host has to end that hears nothing more, by the clock of the machine; told to hosts as it changes."""


def library_dsn(keeping: Keeping) -> str:
    """The address as the client library's driver understands it."""
    parts = urlsplit(keeping.dsn)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    # This driver insists on encryption where nothing is said; ours takes what the server offers.
    query.setdefault("sslmode", "prefer")
    # It leaves two connections behind whenever a session ends, and opens others for those the server ended.
    idle_ms = str(IDLE_SECONDS * 1000)
    query |= {"search_path": SCHEMA, "application_name": keeping.holder, "idle_session_timeout": idle_ms}
    # Its driver has no form without a host before the slash.
    return urlunsplit(("postgresql", parts.netloc, parts.path, urlencode(query), ""))


def pairing_key(folder: SessionFolder) -> str:
    """Under what a pairing's events are kept until its login is known."""
    return f"pairing {folder.path.parent.name}"
