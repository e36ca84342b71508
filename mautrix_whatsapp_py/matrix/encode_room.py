"""A new portal room as the homeserver wants to hear it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.model.mx import MxNewRoom
from mautrix_whatsapp_py.model.mx_room import MxLevelsChange

Json = dict[str, Any]
_PROTOCOL: Json = {
    "id": "whatsapp",
    "displayname": "WhatsApp",
    "external_url": "https://www.whatsapp.com",
}


_FREE: Final = ("m.room.name", "m.room.pinned_events", "m.beacon_info", "org.matrix.msc3672.beacon_info")
"""What everybody may set: as on WhatsApp, or what is theirs alone anyway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who we are at the homeserver."""

    bot: MxUserId
    domain: str
    appservice_id: str
    federates: bool = True
    encryption: Mapping[str, Any] | None = None
    """How new rooms are encrypted, where they are."""


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
            "events": {"m.room.power_levels": 100} | dict.fromkeys(_FREE, 0),
        },
    }
    creation: Json = {} if identity.federates else {"m.federate": False}
    if room.replaces is not None:
        creation["predecessor"] = {"room_id": room.replaces}
    if creation:
        body["creation_content"] = creation
    if room.name:
        body["name"] = room.name
    if room.topic:
        body["topic"] = room.topic
    return body


def with_levels(body: Json, levels: MxLevelsChange, *, listed_creator: MxUserId | None) -> Json:
    """The same with levels; `listed_creator` is the bot where rooms do not put their creator above everybody."""
    override = dict(body["power_level_content_override"])
    users = {str(user): level for user, level in levels.users.items() if level}
    if listed_creator is not None:
        users[listed_creator] = 100
    override |= {"events": {**override["events"], **levels.events}, "users": users}
    for key, level in (("events_default", levels.events_default), ("invite", levels.invite)):
        if level is not None:
            override[key] = level
    return {**body, "power_level_content_override": override}


def _initial_state(room: MxNewRoom, identity: Identity) -> list[Json]:
    parents = []
    if room.parent is not None:
        content = {"via": [identity.domain], "canonical": True}
        parents = [{"type": "m.space.parent", "state_key": room.parent, "content": content}]
    encryption = [{"type": "m.room.encryption", "state_key": "", "content": dict(identity.encryption or {})}]
    return [
        *(encryption if identity.encryption is not None else ()),
        *parents,
        *encode_bridging(room, identity),
    ]


def encode_bridging(room: MxNewRoom, identity: Identity) -> list[Json]:
    """State that says what a room bridges, and who in it is nobody to speak with."""
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
