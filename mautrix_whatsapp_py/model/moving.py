"""A chat on its way from one room to another."""

from __future__ import annotations

from msgspec import Struct

from mautrix_whatsapp_py.ids import LoginId, MxRoomId


class MovingRecord(Struct, frozen=True, kw_only=True):
    """Which room it leaves, and who is to be called into the new one."""

    old: MxRoomId
    logins: tuple[LoginId, ...] = ()
