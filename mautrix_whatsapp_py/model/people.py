"""People as either side sees them."""

from __future__ import annotations

from dataclasses import dataclass

from mautrix_whatsapp_py.ids import MxUserId


@dataclass(frozen=True, slots=True, kw_only=True)
class MxPerson:
    """Who stands for a WhatsApp person on Matrix: their own user where they have one, else their ghost."""

    user_id: MxUserId
    name: str
