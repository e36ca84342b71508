"""Reads fields of JSON that strangers wrote: what is not of the wanted type is not there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias, TypeGuard

import msgspec

Fields: TypeAlias = Mapping[str, Any]
NONE: Fields = {}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ID_BYTES = 255
"""Longest id the specification allows; also what a database index takes."""
_LATEST_MS = 253_402_300_799_000  # the end of the year 9999, beyond which datetime cannot go


def decode_fields(raw: bytes | str) -> Fields:
    """An object's fields; none when it is no object or no JSON."""
    try:
        fields = msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        return NONE
    return fields if isinstance(fields, dict) else NONE


def get_fields(fields: Fields, key: str) -> Fields:
    """A nested object."""
    value = fields.get(key)
    return value if isinstance(value, dict) else NONE


def get_text(fields: Fields, key: str) -> str | None:
    """A string, without NUL, which no database and no other network takes."""
    value = fields.get(key)
    return value.replace("\0", "\ufffd") if isinstance(value, str) else None


def is_id(text: object) -> TypeGuard[str]:
    """Whether a value may be an id: a text, not empty, not too long, and every database can hold it."""
    if not isinstance(text, str) or "\0" in text:
        return False
    try:
        return 0 < len(text.encode()) <= ID_BYTES
    except UnicodeEncodeError:
        return False


def get_moment(fields: Fields, key: str) -> datetime | None:
    """Milliseconds since 1970 as a moment."""
    value = fields.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LATEST_MS:
        return None
    return datetime.fromtimestamp(value / 1000, UTC)
