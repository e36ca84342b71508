"""What WhatsApp answers when a group is changed, or a picture asked for."""

from __future__ import annotations

from enum import StrEnum

from mautrix_whatsapp_py.ids import WaJid
from mautrix_whatsapp_py.model.struct import WaStruct


class WaMemberChange(StrEnum):
    """What is to happen to members of a group."""

    ADD = "add"
    REMOVE = "remove"
    PROMOTE = "promote"
    DEMOTE = "demote"


class WaMemberOutcome(WaStruct, frozen=True, kw_only=True):
    """What became of one of them; `error` is 0 when it was done."""

    jid: WaJid
    error: int = 0


class WaMemberOutcomes(WaStruct, frozen=True, kw_only=True):
    """One outcome per person."""

    items: tuple[WaMemberOutcome, ...] = ()


class WaPictureState(StrEnum):
    """What is known of somebody's picture."""

    FOUND = "found"
    UNCHANGED = "unchanged"
    NONE = "none"
    HIDDEN = "hidden"


class WaPicture(WaStruct, frozen=True, kw_only=True):
    """A person's or group's picture."""

    state: WaPictureState
    picture_id: str = ""
    mimetype: str = ""
    data: bytes = b""


class WaPictureSet(WaStruct, frozen=True, kw_only=True):
    """The id of a picture that was set; empty when it was removed."""

    picture_id: str = ""


class WaBlocklist(WaStruct, frozen=True, kw_only=True):
    """Whom the account has blocked."""

    items: tuple[WaJid, ...] = ()
