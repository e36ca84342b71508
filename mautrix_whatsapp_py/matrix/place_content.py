"""Places and invitations in the content of messages: from and to Matrix JSON."""

from __future__ import annotations

import re
from typing import Any, Final

from mautrix_whatsapp_py.ids import MxEventId, decode_jid
from mautrix_whatsapp_py.matrix.fields import Fields, get_fields, get_text, is_id
from mautrix_whatsapp_py.model.content import (
    MxFlag,
    MxGroupInvite,
    MxLocation,
    MxMentions,
    MxMessageContent,
    MxMsgType,
)

Json = dict[str, Any]

BEACONS: Final = frozenset({"m.beacon", "org.matrix.msc3672.beacon"})
LIVE: Final = "Live location: where it began"
"""What people on WhatsApp read beside the place, which does not move there."""
_GEO: Final = re.compile(r"geo:(-?\d{1,3}(?:\.\d{1,20})?),(-?\d{1,3}(?:\.\d{1,20})?)(?:[,;?].*)?")
_LOCATION: Final = "org.matrix.msc3488.location"
_INVITE: Final = "fi.mau.whatsapp.invite"
_MAX_CODE: Final = 2_048
_MAX_DESCRIPTION: Final = 500
_MAX_SECONDS: Final = 2**31 - 1


def decode_location(content: Fields) -> MxLocation | None:
    """The place of a message; None when it has none on earth."""
    place = get_fields(content, _LOCATION) or get_fields(content, "m.location")
    uri = get_text(content, "geo_uri") or get_text(place, "uri") or ""
    match = _GEO.fullmatch(uri[:256])
    if match is None:
        return None
    latitude, longitude = float(match[1]), float(match[2])
    if abs(latitude) > 90 or abs(longitude) > 180:
        return None
    return MxLocation(latitude=latitude, longitude=longitude)


def decode_beacon(content: Fields) -> tuple[MxEventId, MxMessageContent] | None:
    """A position of somebody who shares theirs live, and the event that began it; None when it is none."""
    relation, at = get_fields(content, "m.relates_to"), decode_location(content)
    began = relation.get("event_id")
    if at is None or relation.get("rel_type") != "m.reference" or not is_id(began):
        return None
    said = MxMessageContent(
        msgtype=MxMsgType.LOCATION, body=LIVE, location=at, flags=frozenset({MxFlag.LIVE}), mentions=MxMentions()
    )
    return MxEventId(began), said


def encode_location(at: MxLocation, body: str) -> Json:
    """The fields that place a message."""
    uri = f"geo:{at.latitude:.6f},{at.longitude:.6f}"
    return {
        "geo_uri": uri,
        _LOCATION: {"uri": uri, "description": body[:_MAX_DESCRIPTION]},
        "org.matrix.msc3488.asset": {"type": "m.pin"},
    }


def decode_invite(content: Fields) -> MxGroupInvite | None:
    """The invitation in a message; None when it says not enough to accept it."""
    invite = get_fields(content, _INVITE)
    code = get_text(invite, "code") or ""
    expires = invite.get("expiration")
    try:
        group, inviter = decode_jid(get_text(invite, "jid") or ""), decode_jid(get_text(invite, "inviter") or "")
    except ValueError:
        return None
    if not code or len(code) > _MAX_CODE or not group.is_group or not group.user or not inviter.user:
        return None
    is_number = isinstance(expires, int) and not isinstance(expires, bool) and 0 <= expires <= _MAX_SECONDS
    return MxGroupInvite(
        group=group,
        code=code,
        inviter=inviter,
        expires_at_s=int(expires) if is_number and isinstance(expires, int) else 0,
        name=get_text(invite, "group_name") or "",
    )


def encode_invite(invite: MxGroupInvite) -> Json:
    """The fields by which an invitation can be accepted."""
    said: Json = {
        "jid": str(invite.group),
        "code": invite.code,
        "expiration": invite.expires_at_s,
        "inviter": str(invite.inviter),
        "group_name": invite.name,
    }
    return {_INVITE: said}
