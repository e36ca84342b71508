"""Every kind of message, both ways, between a phone and a client in an encrypted room."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.data.media.clips import clip
from tests.data.media.pictures import moving, quarters, saved
from tests.data.media.sample import Sample
from tests.flow.encrypted_client import EncryptedClient
from tests.simulator.api import Account, Simulator, kinds
from tests.simulator.kinds.actions import MessageRef
from tests.simulator.media_crypto import decrypt_media

WAIT_SECONDS = 60
CARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Jane Doe\r\nTEL:+1 555\r\nEND:VCARD"
START, VOTE = "org.matrix.msc3381.poll.start", "org.matrix.msc3381.poll.response"
PHOTO = Sample(name="photo.jpg", mime_type="image/jpeg", data=saved(quarters(), "JPEG", quality=95))


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Short files that phones and clients take as they are."""

    film: Sample
    voice: Sample
    song: Sample


@cache
def samples() -> Samples:
    """The files, made once."""
    return Samples(
        film=Sample(name="film.mp4", mime_type="video/mp4", data=clip("mp4", video="libx264", seconds=0.4)),
        voice=Sample(name="voice.ogg", mime_type="audio/ogg", data=clip("ogg", audio="libopus", seconds=0.5)),
        song=Sample(name="song.mp3", mime_type="audio/mpeg", data=clip("mp3", audio="libmp3lame", seconds=0.5)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """A direct chat in an encrypted room."""

    wa: Simulator
    alice: EncryptedClient
    phone: Account
    ben: Account
    room: str

    async def received(self, field: str) -> Any:
        """The part of that name of the next message on Ben's phone that has one."""
        while True:
            message = (await self.ben.phone.receive_next(timeout_seconds=WAIT_SECONDS)).message
            if message.HasField(field):
                return getattr(message, field)


async def cross_from_whatsapp(talk: Talk) -> None:
    """What Ben does on his phone, as alice's client reads it."""
    alice, ben, to, room = talk.alice, talk.ben.phone, talk.phone.pn, talk.room
    said_id = await ben.text(to, "first words")
    said = await alice.heard("first words", room=room)
    own = MessageRef(chat=talk.phone.lid, message_id=said_id, sender=talk.ben.lid, is_own=True)
    await ben.send(to, kinds.reply("a quote", own, kinds.text("first words").message))
    answer = await alice.heard("a quote", room=room)
    assert answer.source["content"]["m.relates_to"]["m.in_reply_to"]["event_id"] == said.event_id
    await ben.send(to, kinds.edit(own, kinds.text("better words").message))
    edit = await alice.heard("better words", room=room)
    assert edit.source["content"]["m.relates_to"]["event_id"] == said.event_id
    await ben.send(to, kinds.reaction(own, "👍"))
    await alice.saw("m.reaction", room=room, content_part="👍", is_secret=False)
    await ben.send(to, kinds.revoke(own))
    await alice.saw("m.room.redaction", room=room, content_part=said.event_id, is_secret=False)
    await ben.send(to, kinds.location(52.5, 13.4, name="Zoo"))
    place = await alice.heard("Zoo", room=room)
    assert place.source["content"]["geo_uri"] == "geo:52.500000,13.400000"
    await ben.send(to, kinds.poll("Lunch?", ["Soup", "Salad"]))
    await alice.saw(START, room=room, content_part="Lunch?")
    await _files_from_whatsapp(talk)


async def _files_from_whatsapp(talk: Talk) -> None:
    film, voice, song = samples().film, samples().voice, samples().song
    webp = Sample(name="s", mime_type="image/webp", data=moving("WEBP"))
    cases: list[tuple[str, str, Sample, Any]] = [
        ("m.image", "image", PHOTO, kinds.image),
        ("m.video", "video", film, kinds.video),
        ("m.image", "video", film, kinds.gif),
        ("m.audio", "audio", voice, kinds.voice),
        ("m.audio", "audio", song, kinds.audio),
        ("m.file", "document", PHOTO, lambda file: kinds.document(file, "scan.pdf")),
        ("m.sticker", "image", webp, kinds.sticker),
        ("m.file", "", PHOTO, None),
    ]
    for msgtype, upload, sample, make in cases:
        mark = talk.alice.mark()
        if make is None:
            await talk.ben.phone.send(talk.phone.pn, kinds.contact("Jane Doe", CARD))
        else:
            file = kinds.upload(talk.wa.media, sample.data, upload)
            await talk.ben.phone.send(talk.phone.pn, make(file))
        event = await talk.alice.saw_file(room=talk.room, after=mark)
        content = event.source["content"]
        assert content.get("msgtype", event.source["type"]) == msgtype, sample.name
        assert "url" not in content
        assert "thumbnail_url" not in content.get("info", {})
        data = await talk.alice.fetch_file(event)
        if make is None:
            assert b"Jane Doe" in data
        elif make is not kinds.gif:
            assert data == sample.data, sample.name


async def cross_to_whatsapp(talk: Talk) -> None:
    """What alice does in her client, as Ben's phone reads it."""
    alice, room = talk.alice, talk.room
    said = await alice.say(room, "hi again")
    assert (await talk.ben.phone.receive_next(timeout_seconds=WAIT_SECONDS)).text == "hi again"
    await alice.say(room, "an own quote", **{"m.relates_to": {"m.in_reply_to": {"event_id": said}}})
    assert "hi again" in str((await talk.received("extendedTextMessage")).contextInfo.quotedMessage)
    new = {"msgtype": "m.text", "body": "hi all"}
    await alice.say(room, "* hi all", **{"m.new_content": new, "m.relates_to": _relation("m.replace", said)})
    message = (await talk.ben.phone.receive_next(timeout_seconds=WAIT_SECONDS)).message
    assert "hi all" in str(message)
    about = {**_relation("m.annotation", said), "key": "🎉"}
    await alice.send_plain(room, "m.reaction", {"m.relates_to": about})
    assert (await talk.received("reactionMessage")).text == "🎉"
    await alice.client.room_redact(room, said)
    await talk.received("protocolMessage")
    await alice.send(room, "m.room.message", {"msgtype": "m.location", "body": "Home", "geo_uri": "geo:5,6"})
    assert (await talk.received("locationMessage")).name == "Home"
    text = "org.matrix.msc1767.text"
    answers = [{"id": name, text: name} for name in ("Yes", "No")]
    poll = {"question": {text: "Walk?"}, "max_selections": 1, "answers": answers}
    asked = await alice.send(room, START, {START: {**poll, "kind": "org.matrix.msc3381.poll.disclosed"}})
    assert (await talk.received("pollCreationMessageV3")).name == "Walk?"
    vote = {VOTE: {"answers": ["Yes"]}, "m.relates_to": _relation("m.reference", asked)}
    await alice.send(room, VOTE, vote)
    await talk.received("pollUpdateMessage")
    await alice.heard("1. Yes – 1 vote", room=room)
    await _files_to_whatsapp(talk)


async def _files_to_whatsapp(talk: Talk) -> None:
    film, voice, song = samples().film, samples().voice, samples().song
    webp = Sample(name="s.webp", mime_type="image/webp", data=saved(quarters(), "WEBP"))
    gif = Sample(name="moving.gif", mime_type="image/gif", data=moving("GIF"))
    cases: list[tuple[str, Sample, str, dict[str, object]]] = [
        ("m.image", PHOTO, "imageMessage", {}),
        ("m.image", gif, "videoMessage", {}),
        ("m.video", film, "videoMessage", {}),
        ("m.audio", voice, "audioMessage", {"org.matrix.msc3245.voice": {}}),
        ("m.audio", song, "audioMessage", {}),
        ("m.file", PHOTO, "documentMessage", {}),
        ("m.sticker", webp, "stickerMessage", {}),
    ]
    for msgtype, sample, field, more in cases:
        await talk.alice.show(talk.room, sample, msgtype, more)
        part = await talk.received(field)
        blob = talk.wa.media.blobs[part.directPath.partition("?")[0]]
        kind = {"stickerMessage": "image"}.get(field, field.removesuffix("Message"))
        data = decrypt_media(blob, part.mediaKey, kind)
        is_as_it_was = field in ("imageMessage", "documentMessage") or sample is song
        assert (sample.data == data) if is_as_it_was else data, sample.name
        if field == "videoMessage":
            assert part.gifPlayback == (sample is gif)
        if field == "audioMessage":
            assert (sample is voice) == part.PTT


def _relation(kind: str, event_id: str) -> dict[str, object]:
    return {"rel_type": kind, "event_id": event_id}
