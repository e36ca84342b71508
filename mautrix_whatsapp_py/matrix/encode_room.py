"""A new portal room as the homeserver wants to hear it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.model.mx import MxNewRoom

Json = dict[str, Any]
_PROTOCOL: Json = {
    "id": "whatsapp",
    "displayname": "WhatsApp",
    "external_url": "https://www.whatsapp.com",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who we are at the homeserver."""

    bot: MxUserId
    domain: str
    appservice_id: str
    federates: bool = True


def encode_room(room: MxNewRoom, identity: Identity) -> Json:
    """Body of a createRoom request."""
    body: Json = {
        "preset": "private_chat",
        "visibility": "private",
        "is_direct": room.is_direct,
        "room_alias_name": room.alias,
        "invite": sorted({*room.invites, *room.members}),
        "initial_state": _initial_state(room, identity),
        "power_level_content_override": {
            "events": {"m.room.name": 0, "m.room.pinned_events": 0, "m.room.power_levels": 100}
        },
    }
    if not identity.federates:
        body["creation_content"] = {"m.federate": False}
    if room.name:
        body["name"] = room.name
    if room.topic:
        body["topic"] = room.topic
    return body


def _initial_state(room: MxNewRoom, identity: Identity) -> list[Json]:
    bridge = _bridge_info(room, identity)
    key = f"{identity.domain}/{identity.appservice_id}"
    service = {"service_members": [identity.bot, *room.service_members]}
    return [
        {"type": "m.bridge", "state_key": key, "content": bridge},
        {"type": "uk.half-shot.bridge", "state_key": key, "content": bridge},
        {"type": "io.element.functional_members", "state_key": "", "content": service},
    ]


def _bridge_info(room: MxNewRoom, identity: Identity) -> Json:
    channel: Json = {"id": room.chat_id}
    if room.name:
        channel["displayname"] = room.name
    if room.login is not None:
        channel["fi.mau.receiver"] = room.login
    return {
        "bridgebot": identity.bot,
        "creator": identity.bot,
        "protocol": _PROTOCOL,
        "channel": channel,
        "com.beeper.room_type": "dm" if room.is_direct else "default",
    }
