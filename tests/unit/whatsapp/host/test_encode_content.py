"""What goes to WhatsApp, field by field, with the real protobuf classes."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from mautrix_whatsapp_py.ids import WaJid, WaMessageId
from mautrix_whatsapp_py.model.content import (
    WaContext,
    WaEdit,
    WaEphemeralTimer,
    WaKind,
    WaLinkPreview,
    WaMessageRef,
    WaPreview,
    WaQuote,
    WaReaction,
    WaRevoke,
    WaSendable,
    WaText,
)
from mautrix_whatsapp_py.whatsapp.host.encode_content import OwnAddresses, encode_content
from tests.unit.whatsapp.host.contents import (
    ANA,
    ANA_LID,
    AT_MS,
    BEN,
    GROUP,
    OWN,
    OWN_LID,
    PROTOBUF,
    SECRET,
    STATUS,
    Message,
    device_of,
    sending,
)

JPEG = b"j"
JPEG64 = "ag=="


def encode(content: WaSendable, chat: WaJid = ANA) -> dict[str, Any]:
    """The message as WhatsApp reads it, without its secret."""
    message = Message.FromString(encode_content(content, sending(chat), PROTOBUF))
    assert message.messageContextInfo.messageSecret == SECRET
    message.ClearField("messageContextInfo")
    found: dict[str, Any] = MessageToDict(message)
    return found


def in_context(**context: Any) -> dict[str, Any]:
    (found,) = encode(WaText(body="x", context=WaContext(**context))).values()
    assert found.pop("text") == "x"
    info: dict[str, Any] = found.pop("contextInfo")
    assert found == {}
    return info


def test_plain_text() -> None:
    assert encode(WaText(body="hi\n*you* 😀 שלום")) == {"extendedTextMessage": {"text": "hi\n*you* 😀 שלום"}}


def test_mentions() -> None:
    assert in_context(mentions=frozenset({device_of(BEN), ANA})) == {"mentionedJID": [str(BEN), str(ANA)]}
    assert in_context(mentions_all=True) == {"nonJIDMentions": 1}


def test_forwarded_and_disappearing() -> None:
    assert in_context(is_forwarded=True) == {"isForwarded": True, "forwardingScore": 1}
    assert in_context(disappears_after_s=86_400) == {"expiration": 86_400}


def test_link_preview() -> None:
    preview = WaLinkPreview(url="https://x.y", title="T", description="D", thumbnail=JPEG)
    assert encode(WaText(body="https://x.y", link_preview=preview)) == {
        "extendedTextMessage": {
            "text": "https://x.y",
            "matchedText": "https://x.y",
            "title": "T",
            "description": "D",
            "JPEGThumbnail": JPEG64,
        }
    }


def preview_of(kind: WaKind, **fields: Any) -> WaPreview:
    return WaPreview(kind=kind, **fields)


QUOTED: dict[str, tuple[WaPreview | None, dict[str, Any]]] = {
    "unknown": (None, {"conversation": ""}),
    "text": (WaPreview(text="q"), {"conversation": "q"}),
    "text with mentions": (
        WaPreview(text="q @1003", mentions=frozenset({BEN})),
        {"extendedTextMessage": {"text": "q @1003", "contextInfo": {"mentionedJID": [str(BEN)]}}},
    ),
    "image": (
        preview_of(WaKind.IMAGE, text="c", thumbnail=JPEG, mentions=frozenset({BEN})),
        {
            "imageMessage": {
                "mimetype": "image/jpeg",
                "caption": "c",
                "JPEGThumbnail": JPEG64,
                "contextInfo": {"mentionedJID": [str(BEN)]},
            }
        },
    ),
    "video": (
        preview_of(WaKind.VIDEO, text="c"),
        {"videoMessage": {"mimetype": "video/mp4", "caption": "c", "gifPlayback": False}},
    ),
    "gif": (
        preview_of(WaKind.GIF, thumbnail=JPEG),
        {"videoMessage": {"mimetype": "video/mp4", "JPEGThumbnail": JPEG64, "gifPlayback": True}},
    ),
    "audio": (preview_of(WaKind.AUDIO), {"audioMessage": {"mimetype": "audio/mpeg", "PTT": False}}),
    "voice": (preview_of(WaKind.VOICE), {"audioMessage": {"mimetype": "audio/ogg; codecs=opus", "PTT": True}}),
    "document": (
        preview_of(WaKind.DOCUMENT, file_name="a.pdf", text="c", thumbnail=JPEG),
        {
            "documentMessage": {
                "mimetype": "application/octet-stream",
                "fileName": "a.pdf",
                "caption": "c",
                "JPEGThumbnail": JPEG64,
            }
        },
    ),
    "sticker": (
        preview_of(WaKind.STICKER, text="a cat", thumbnail=JPEG),
        {"stickerMessage": {"mimetype": "image/webp", "pngThumbnail": JPEG64}},
    ),
    "contact": (preview_of(WaKind.CONTACT, text="Ana"), {"contactMessage": {"displayName": "Ana"}}),
    "place": (
        preview_of(WaKind.LOCATION, text="N", thumbnail=JPEG),
        {"locationMessage": {"name": "N", "JPEGThumbnail": JPEG64}},
    ),
    "poll": (preview_of(WaKind.POLL, text="?"), {"pollCreationMessage": {"name": "?"}}),
    "other": (preview_of(WaKind.OTHER, text="o"), {"conversation": "o"}),
}


@pytest.mark.parametrize(("preview", "quoted"), QUOTED.values(), ids=QUOTED.keys())
def test_quoted_messages(preview: WaPreview | None, quoted: dict[str, Any]) -> None:
    quote = WaQuote(message_id=WaMessageId("Q"), sender=device_of(BEN), preview=preview)
    assert in_context(quote=quote) == {
        "stanzaID": "Q",
        "participant": str(BEN),
        "quotedMessage": quoted,
        "quotedType": "EXPLICIT",
    }


@pytest.mark.parametrize(("chat", "remote"), [(GROUP, str(GROUP)), (ANA, None), (device_of(ANA), None)])
def test_a_quote_names_its_chat_when_it_is_another_one(chat: WaJid, remote: str | None) -> None:
    quote = WaQuote(message_id=WaMessageId("Q"), sender=BEN, chat=chat)
    assert in_context(quote=quote).get("remoteJID") == remote


def ref(sender: WaJid | None, chat: WaJid = ANA) -> WaMessageRef:
    return WaMessageRef(chat=chat, message_id=WaMessageId("T"), sender=sender)


KEYS: dict[str, tuple[WaJid, WaJid, dict[str, Any]]] = {
    "ours": (ANA, OWN, {"remoteJID": str(ANA), "fromMe": True, "ID": "T"}),
    "ours by LID": (ANA_LID, OWN_LID, {"remoteJID": str(ANA_LID), "fromMe": True, "ID": "T"}),
    "ours from a device": (ANA, device_of(OWN), {"remoteJID": str(ANA), "fromMe": True, "ID": "T"}),
    "theirs": (ANA, ANA, {"remoteJID": str(ANA), "fromMe": False, "ID": "T"}),
    "theirs by LID": (ANA_LID, ANA_LID, {"remoteJID": str(ANA_LID), "fromMe": False, "ID": "T"}),
    "ours in a group": (GROUP, OWN_LID, {"remoteJID": str(GROUP), "fromMe": True, "ID": "T"}),
    "theirs in a group": (
        GROUP,
        device_of(BEN),
        {"remoteJID": str(GROUP), "fromMe": False, "ID": "T", "participant": str(BEN)},
    ),
    "their status": (
        STATUS,
        ANA,
        {"remoteJID": str(STATUS), "fromMe": False, "ID": "T", "participant": str(ANA)},
    ),
}


@pytest.mark.parametrize(("chat", "sender", "key"), KEYS.values(), ids=KEYS.keys())
def test_whose_message_is_meant(chat: WaJid, sender: WaJid, key: dict[str, Any]) -> None:
    target = ref(sender, chat)
    assert encode(WaReaction(target=target, emoji="👍"), chat) == {
        "reactionMessage": {"key": key, "text": "👍", "senderTimestampMS": str(AT_MS)}
    }
    assert encode(WaRevoke(target=target), chat) == {"protocolMessage": {"key": key, "type": "REVOKE"}}


def test_a_key_names_the_chat_by_its_address_of_now() -> None:
    key = encode(WaReaction(target=ref(ANA, ANA), emoji=""), ANA_LID)["reactionMessage"]["key"]
    assert key == {"remoteJID": str(ANA_LID), "fromMe": False, "ID": "T"}


def test_another_number_with_the_same_digits_as_our_lid_is_not_us() -> None:
    twin = WaJid(user=OWN_LID.user, server="s.whatsapp.net")
    key = encode(WaReaction(target=ref(twin, GROUP), emoji=""), GROUP)["reactionMessage"]["key"]
    assert (key["fromMe"], key["participant"]) == (False, str(twin))


@pytest.mark.parametrize("sender", [OWN, OWN_LID, None])
def test_edit(sender: WaJid | None) -> None:
    content = WaText(body="new", context=WaContext(mentions=frozenset({BEN})))
    assert encode(WaEdit(target=ref(sender), content=content)) == {
        "editedMessage": {
            "message": {
                "protocolMessage": {
                    "key": {"remoteJID": str(ANA), "fromMe": True, "ID": "T"},
                    "type": "MESSAGE_EDIT",
                    "timestampMS": str(AT_MS),
                    "editedMessage": {
                        "extendedTextMessage": {"text": "new", "contextInfo": {"mentionedJID": [str(BEN)]}}
                    },
                }
            }
        }
    }


@pytest.mark.parametrize(("is_automatic", "initiator"), [(False, "CHANGED_IN_CHAT"), (True, "INITIATED_BY_ME")])
def test_timer(is_automatic: bool, initiator: str) -> None:
    assert encode(WaEphemeralTimer(timer_s=604_800, is_automatic=is_automatic)) == {
        "protocolMessage": {
            "type": "EPHEMERAL_SETTING",
            "ephemeralExpiration": 604_800,
            "ephemeralSettingTimestamp": str(AT_MS // 1000),
            "disappearingMode": {"initiator": initiator},
        }
    }


IMPOSSIBLE: dict[str, tuple[WaSendable, WaJid]] = {
    "edit of another's": (WaEdit(target=ref(BEN), content=WaText(body="x")), ANA),
    "revoke of nobody's": (WaRevoke(target=ref(None, GROUP)), GROUP),
    "reaction to nobody's": (WaReaction(target=ref(None), emoji="x"), ANA),
    "timer of a group": (WaEphemeralTimer(timer_s=1), GROUP),
    "timer before time": (WaEphemeralTimer(timer_s=-1), ANA),
    "half a character": (WaText(body="\ud800"), ANA),
}


@pytest.mark.parametrize(("content", "chat"), IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def test_what_cannot_be_said(content: WaSendable, chat: WaJid) -> None:
    with pytest.raises(ValueError):
        encode_content(content, sending(chat), PROTOBUF)


def test_without_a_secret_there_is_none() -> None:
    body = encode_content(WaText(body="x"), sending(ANA, secret=b""), PROTOBUF)
    assert not Message.FromString(body).HasField("messageContextInfo")


def test_an_account_whose_lid_is_not_known_is_its_number() -> None:
    own = OwnAddresses(pn=OWN)
    assert device_of(OWN) in own
    assert OWN_LID not in own
