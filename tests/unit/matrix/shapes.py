"""One small example of every event shape the endpoint may meet; the fuzzing starts from these."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
ROOM = "!room:example.org"
ANN = "@ann:example.org"


def room_event(kind: str, content: Json, **extra: object) -> Json:
    """An event as a transaction holds it."""
    return {
        "event_id": "$event",
        "room_id": ROOM,
        "sender": ANN,
        "type": kind,
        "origin_server_ts": 1_760_000_000_000,
        "content": content,
        "unsigned": {"age": 12},
        **extra,
    }


def message(content: Json) -> Json:
    return room_event("m.room.message", content)


def state(kind: str, content: Json, key: str = "") -> Json:
    return room_event(kind, content, state_key=key)


def member(membership: str, **extra: object) -> Json:
    return state("m.room.member", {"membership": membership, "displayname": "Ann", **extra}, ANN)


_FILE = {"url": "mxc://example.org/a", "info": {"mimetype": "image/png", "size": 31037, "w": 320, "h": 240}}
_ENCRYPTED_FILE = {
    "file": {
        "url": "mxc://example.org/a",
        "v": "v2",
        "iv": "w+sE15fzSc0AAAAAAAAAAA",
        "key": {"alg": "A256CTR", "ext": True, "k": "aWF6", "key_ops": ["encrypt", "decrypt"], "kty": "oct"},
        "hashes": {"sha256": "fdSLu/YkRx3Wyh3KQabP3rd6+SFiKg5lsJZQHtkSAYA"},
    }
}
MESSAGES: list[Json] = [
    message({"msgtype": "m.text", "body": "hello"}),
    message(
        {"msgtype": "m.text", "body": "**hi**", "format": "org.matrix.custom.html", "formatted_body": "<b>hi</b>"}
    ),
    message({"msgtype": "m.emote", "body": "waves"}),
    message({"msgtype": "m.notice", "body": "beep"}),
    message({"msgtype": "m.image", "body": "a.png", **_FILE}),
    message({"msgtype": "m.image", "body": "a caption", "filename": "a.png", **_ENCRYPTED_FILE}),
    message({"msgtype": "m.file", "body": "a.pdf", "filename": "a.pdf", **_FILE}),
    message({"msgtype": "m.audio", "body": "a.ogg", "org.matrix.msc3245.voice": {}, **_FILE}),
    message({"msgtype": "m.video", "body": "a.mp4", **_FILE}),
    message({"msgtype": "m.location", "body": "here", "geo_uri": "geo:51.5,-0.1;u=35"}),
    message({"msgtype": "m.key.verification.request", "body": "?", "from_device": "A", "methods": ["m.sas.v1"]}),
    message(
        {
            "msgtype": "m.server_notice",
            "body": "notice",
            "server_notice_type": "m.server_notice.usage_limit_reached",
        }
    ),
    message({"msgtype": "m.text", "body": "re", "m.relates_to": {"m.in_reply_to": {"event_id": "$other"}}}),
    message(
        {
            "msgtype": "m.text",
            "body": "* new",
            "m.new_content": {"msgtype": "m.text", "body": "new"},
            "m.relates_to": {"rel_type": "m.replace", "event_id": "$other"},
        }
    ),
    message(
        {
            "msgtype": "m.text",
            "body": "in a thread",
            "m.relates_to": {
                "rel_type": "m.thread",
                "event_id": "$root",
                "is_falling_back": True,
                "m.in_reply_to": {"event_id": "$last"},
            },
        }
    ),
    message({"msgtype": "m.text", "body": "@bob", "m.mentions": {"user_ids": ["@bob:example.org"], "room": True}}),
    message({}),
    room_event("m.sticker", {"body": "cat", **_FILE}),
    room_event("m.reaction", {"m.relates_to": {"rel_type": "m.annotation", "event_id": "$other", "key": "👍"}}),
    room_event("m.room.redaction", {"reason": "spam", "redacts": "$other"}, redacts="$other"),
    room_event(
        "m.call.invite",
        {"call_id": "1", "version": "1", "lifetime": 60000, "offer": {"type": "offer", "sdp": "v=0"}},
    ),
    room_event(
        "m.room.encrypted",
        {
            "algorithm": "m.megolm.v1.aes-sha2",
            "ciphertext": "AwgAEnACgAkLmt6qF84IK",
            "device_id": "A",
            "sender_key": "IlRM",
            "session_id": "X3lU",
        },
    ),
    room_event(
        "org.matrix.msc3381.poll.start",
        {
            "org.matrix.msc3381.poll.start": {
                "question": {"body": "?"},
                "answers": [{"id": "1", "org.matrix.msc1767.text": "a"}],
            }
        },
    ),
]
STATES: list[Json] = [
    *(member(membership) for membership in ("invite", "join", "leave", "ban", "knock")),
    member("invite", is_direct=True),
    {**member("leave"), "unsigned": {"prev_content": {"membership": "join"}, "replaces_state": "$before"}},
    member(
        "invite",
        third_party_invite={"display_name": "ann", "signed": {"mxid": ANN, "token": "a", "signatures": {}}},
    ),
    state(
        "m.room.create",
        {"creator": ANN, "room_version": "12", "predecessor": {"room_id": "!old", "event_id": "$old"}},
    ),
    state("m.room.name", {"name": "Room"}),
    state("m.room.topic", {"topic": "Topic"}),
    state("m.room.avatar", {"url": "mxc://example.org/a"}),
    state("m.room.canonical_alias", {"alias": "#a:example.org", "alt_aliases": ["#b:example.org"]}),
    state(
        "m.room.join_rules",
        {"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": "!other"}]},
    ),
    state(
        "m.room.power_levels", {"users": {ANN: 100}, "users_default": 0, "events": {"m.room.name": 50}, "ban": 50}
    ),
    state("m.room.history_visibility", {"history_visibility": "shared"}),
    state("m.room.guest_access", {"guest_access": "can_join"}),
    state("m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2", "rotation_period_ms": 604800000}),
    state("m.room.pinned_events", {"pinned": ["$other"]}),
    state("m.room.server_acl", {"allow": ["*"], "deny": ["*.evil.org"], "allow_ip_literals": False}),
    state("m.room.tombstone", {"body": "moved", "replacement_room": "!new"}),
    state(
        "m.room.third_party_invite",
        {"display_name": "ann", "key_validity_url": "https://a", "public_key": "a"},
        "token",
    ),
    state("m.room.policy", {"via": "example.org", "public_key": "a"}),
    state("m.space.child", {"via": ["example.org"], "order": "a", "suggested": True}, "!child"),
    state("m.space.parent", {"via": ["example.org"], "canonical": True}, "!parent"),
]
EVENTS = MESSAGES + STATES

TYPING: Json = {"type": "m.typing", "room_id": ROOM, "content": {"user_ids": [ANN, "@bob:example.org"]}}
RECEIPT: Json = {
    "type": "m.receipt",
    "room_id": ROOM,
    "content": {
        "$one": {"m.read": {ANN: {"ts": 1_760_000_000_000}}, "m.read.private": {"@bob:example.org": {"ts": 1}}},
        "$two": {"m.read": {"@cat:example.org": {"ts": 2, "thread_id": "main"}}},
    },
}
PRESENCE: Json = {"type": "m.presence", "sender": ANN, "content": {"presence": "online", "last_active_ago": 5}}
EPHEMERAL = [TYPING, RECEIPT, PRESENCE]

TO_DEVICE: list[Json] = [
    {
        "type": "m.room.encrypted",
        "sender": ANN,
        "to_user_id": "@bot:example.org",
        "to_device_id": "BOT",
        "content": {
            "algorithm": "m.olm.v1.curve25519-aes-sha2",
            "sender_key": "a",
            "ciphertext": {"b": {"type": 0, "body": "c"}},
        },
    },
    {
        "type": "m.room_key_request",
        "sender": ANN,
        "to_user_id": "@bot:example.org",
        "to_device_id": "*",
        "content": {"action": "request_cancellation", "requesting_device_id": "A", "request_id": "1"},
    },
]
