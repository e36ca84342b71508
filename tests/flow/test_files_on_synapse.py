"""Files, as people have them: real homeserver, real bridge, real client library, simulated phones."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from tests.conftest import MakeBridge, MakeSynapse
from tests.data.media import broken
from tests.data.media.clips import loudness, sounds, videos
from tests.data.media.compare import correlation, difference, duration_of
from tests.data.media.pictures import SIZE, animations, clear_quarters, moving, pictures, quarters, saved, tgs, was
from tests.data.media.sample import Sample
from tests.flow.linking_stage import Seat, Stage
from tests.flow.test_talk_on_synapse import BEN_NUMBER, WAIT_SECONDS, Talk, first_room
from tests.homeserver import PortPool, Registration
from tests.homeserver.events import Event
from tests.simulator.api import host_command, kinds, simulator
from tests.simulator.media_crypto import decrypt_media
from tests.simulator.media_host import MediaFault
from tests.simulator.outgoing import Outgoing

pytestmark = [pytest.mark.synapse, pytest.mark.neonize]

LIMIT_BYTES = 4 << 20
OVERRIDES: dict[str, object] = {"max_upload_size": "4M", "thumbnail_sizes": []}
"""Nobody here looks at thumbnails of Synapse's own, which it makes of everything that is stored."""
PARTS = ("imageMessage", "videoMessage", "audioMessage", "documentMessage", "stickerMessage")


@pytest.fixture
async def talk(
    tmp_path: Path,
    make_synapse: MakeSynapse,
    make_bridge: MakeBridge,
    ports: PortPool,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Talk]:
    async with simulator(tmp_path / "wa") as wa:
        monkeypatch.setenv("SSL_CERT_FILE", str(wa.authority.ca_file))
        port = ports.reserve()
        registration = Registration(url=f"http://127.0.0.1:{port}")
        synapse = await make_synapse(registration, overrides=OVERRIDES)
        sections: dict[str, dict[str, object]] = {
            "whatsapp": {"host_command": list(host_command(wa, is_led=False))},
            # Some users have a proxy of this kind; all other tests have the common one.
            "network": {"proxy": wa.proxy_url.replace("http://", "socks5://")},
        }
        bridge = make_bridge(synapse.url, registration, port=port, sections=sections)
        await bridge.start()
        alice = await Seat.take(await synapse.create_client("alice"), bridge)
        phone, ben = wa.add_account("15550001111", "Alice"), wa.add_account(BEN_NUMBER, "Ben")
        stage = Stage(wa=wa, synapse=synapse, bridge=bridge, alice=alice, phone=phone)
        await alice.scan(phone)
        await alice.until_connected()
        mark = alice.client.mark()
        first_id = await ben.phone.text(phone.pn, "hello")
        room = await first_room(alice.client, after=mark)
        first = await alice.client.wait_for_message(room, contains="hello", deadline_seconds=WAIT_SECONDS)
        yield Talk(stage=stage, ben=ben, room=room, ghost=first.sender, first=first, first_id=first_id)
        await bridge.stop()
        assert "Traceback" not in bridge.output
        assert not list(bridge.folder.glob("**/media/*")), "files were left behind"


async def test_files_cross(talk: Talk) -> None:
    """Every kind in the corpus, both ways; then what goes wrong with files, and how it is mended."""
    await _from_whatsapp(talk)
    await _replies(talk)
    await _from_matrix(talk)
    await _broken_from_matrix(talk)
    await _missing(talk)
    await _passing(talk)
    await _refused_upload(talk)
    await _homeserver_limit(talk)


async def _from_whatsapp(talk: Talk) -> None:
    photo, film, song, voice = _sample("photo.jpg"), _sample("film.mp4"), _sample("song.mp3"), _sample("voice.ogg")
    event = await _receive(talk, photo, "image", lambda file: kinds.image(file, caption="look *here*"))
    assert event.content["formatted_body"] == "look <strong>here</strong>"
    assert (event.content["msgtype"], event.content["filename"]) == ("m.image", "image.jpg")
    await _check_seen(talk, event, size=SIZE)
    assert await talk.alice.download(event.content["url"]) == photo.data
    for make in (kinds.video, kinds.ptv):
        event = await _receive(talk, film, "video", make)
        assert event.content["msgtype"] == "m.video"
        await _check_seen(talk, event, size=(160, 120), duration_ms=2_000)
        assert await talk.alice.download(event.content["url"]) == film.data
    event = await _receive(talk, _sample("silent.mp4"), "video", kinds.gif)
    assert (event.content["msgtype"], event.content["info"]["mimetype"]) == ("m.image", "image/gif")
    gif = Image.open(io.BytesIO(await talk.alice.download(event.content["url"])))
    assert gif.is_animated  # type: ignore[attr-defined]
    assert difference(gif.convert("RGB"), quarters((160, 120))) < 16
    event = await _receive(talk, voice, "audio", lambda file: kinds.voice(file, waveform=bytes(64)))
    assert event.content["org.matrix.msc3245.voice"] == {}
    audio = event.content["org.matrix.msc1767.audio"]
    assert abs(audio["duration"] - 3_000) <= 50
    assert correlation(audio["waveform"], [loudness(bar + 0.5, 64) for bar in range(64)]) > 0.95
    event = await _receive(talk, song, "audio", kinds.audio)
    assert abs(event.content["info"]["duration"] - 3_000) <= 50
    event = await _receive(
        talk, photo, "document", lambda file: kinds.document(file, "scan.pdf", caption="read it")
    )
    assert (event.content["msgtype"], event.content["filename"]) == ("m.file", "scan.pdf")
    assert await talk.alice.download(event.content["url"]) == photo.data
    sticker = Sample(name="s", mime_type="image/webp", data=moving("WEBP"))
    event = await _receive(talk, sticker, "image", lambda file: kinds.sticker(file, is_animated=True))
    assert event.type == "m.sticker"
    assert await talk.alice.download(event.content["url"]) == sticker.data
    drawn = Sample(name="s", mime_type="application/was", data=was())
    event = await _receive(talk, drawn, "image", lambda file: kinds.sticker(file, is_lottie=True))
    assert (event.type, event.content["info"]["mimetype"]) == ("m.sticker", "image/webp")
    webp = Image.open(io.BytesIO(await talk.alice.download(event.content["url"])))
    assert webp.is_animated  # type: ignore[attr-defined]


async def _replies(talk: Talk) -> None:
    """A reply to a picture shows it, whichever side it came from."""
    mark = talk.alice.mark()
    file = kinds.upload(talk.stage.wa.media, _sample("photo.jpg").data, "image")
    await talk.ben.phone.send(talk.own.pn, kinds.image(file, caption="who is it?"))
    seen = await talk.hears("who is it?", after=mark)
    relation = {"m.relates_to": {"m.in_reply_to": {"event_id": seen.event_id}}}
    await talk.alice.send(talk.room, "m.room.message", {"msgtype": "m.text", "body": "me", **relation})
    answer = (await asyncio.wait_for(talk.ben.phone.receive_next(), WAIT_SECONDS)).message.extendedTextMessage
    quoted = answer.contextInfo.quotedMessage.imageMessage
    assert quoted.caption == "who is it?"
    tiny = Image.open(io.BytesIO(quoted.JPEGThumbnail))
    assert (tiny.format, tiny.size) == ("JPEG", (100, 75))
    assert difference(tiny, quarters(tiny.size)) < 12


async def _from_matrix(talk: Talk) -> None:
    for sample in pictures():
        part, data = await _send(talk, sample, "m.image")
        assert part.DESCRIPTOR.name == "ImageMessage", sample.name
        assert Image.open(io.BytesIO(part.JPEGThumbnail)).format == "JPEG"
        picture = Image.open(io.BytesIO(data))
        assert (part.width, part.height) == picture.size or "turned" in sample.name
        if not sample.name.endswith("svg"):
            wanted = clear_quarters() if "clear" in sample.name else quarters()
            assert difference(picture, wanted) < 6, sample.name
    for sample in animations():
        part, data = await _send(talk, sample, "m.image")
        assert part.gifPlayback
        assert abs(duration_of(data) - sample.duration_ms) <= 50
    for sample in videos():
        part, data = await _send(talk, sample, "m.video")
        assert (part.width, part.height, part.seconds) == (160, 120, 2), sample.name
        assert abs(duration_of(data) - sample.duration_ms) <= 50, sample.name
        with av.open(io.BytesIO(data)) as film:
            assert difference(next(film.decode(video=0)).to_image(), quarters((160, 120))) < 12, sample.name
    for sample in sounds():
        part, data = await _send(talk, sample, "m.audio", {"org.matrix.msc3245.voice": {}})
        assert (part.PTT, part.mimetype, part.seconds) == (True, "audio/ogg; codecs=opus", 3), sample.name
        assert abs(duration_of(data) - sample.duration_ms) <= 50, sample.name
        assert correlation(part.waveform, [loudness(bar + 0.5, 64) for bar in range(64)]) > 0.93, sample.name
    for name in ("song.mp3", "take.wav", "voice.webm"):
        part, data = await _send(talk, _sample(name), "m.audio")
        assert (part.PTT, part.mimetype) == (False, "audio/mpeg" if name == "song.mp3" else "audio/mp4")
        assert abs(duration_of(data) - 3_000) <= 60, name
    drawn = Sample(name="moving.tgs", mime_type="application/gzip", data=tgs())
    for sample in (*animations(), drawn, _sample("clear.png")):
        part, data = await _send(talk, sample, "m.sticker")
        assert part.DESCRIPTOR.name == "StickerMessage"
        assert part.isAnimated == sample.name.startswith("moving")
        assert Image.open(io.BytesIO(data)).format == "WEBP"
    part, data = await _send(talk, _sample("photo.heic"), "m.file")
    assert (part.fileName, data) == ("photo.heic", _sample("photo.heic").data)


async def _broken_from_matrix(talk: Talk) -> None:
    """What would do harm is refused; what is only damaged goes as a document, and is said so."""
    for sample, reason in broken.broken_pictures():
        if not sample.data:
            continue
        mark = talk.alice.mark()
        if reason.is_dangerous:
            await _put(talk, sample, "m.image")
            await talk.hears("was not bridged", sender="@whatsappbot:localhost", after=mark)
        else:
            part, data = await _send(talk, sample, "m.image")
            assert (part.DESCRIPTOR.name, data) == ("DocumentMessage", sample.data)
            await talk.hears("as a document", sender="@whatsappbot:localhost", after=mark)


async def _missing(talk: Talk) -> None:
    """Files that cannot be had are named, and come when they are asked for."""
    media, photo = talk.stage.wa.media, _sample("photo.jpg")
    for fault, how in ((MediaFault.GONE, "🔁"), (MediaFault.NOT_FOUND, "retry"), (MediaFault.GONE, "!wa retry")):
        media.break_downloads(fault)
        mark = talk.alice.mark()
        file = kinds.upload(media, photo.data, "image")
        await talk.ben.phone.send(talk.own.pn, kinds.image(file, caption=f"lost {fault.name} {how}"))
        notice = await talk.hears("could not be shown", after=mark)
        media.repair()
        if how == "🔁":
            about = {"rel_type": "m.annotation", "event_id": notice.event_id, "key": how}
            await talk.alice.send(talk.room, "m.reaction", {"m.relates_to": about})
        else:
            reply = {"m.in_reply_to": {"event_id": notice.event_id}}
            await talk.alice.send(
                talk.room, "m.room.message", {"msgtype": "m.text", "body": how, "m.relates_to": reply}
            )
        edit = await talk.relation("m.room.message", notice.event_id)
        shown = edit.content["m.new_content"]
        assert shown["msgtype"] == "m.image"
        assert await talk.alice.download(shown["url"]) == photo.data


async def _passing(talk: Talk) -> None:
    """What came damaged is fetched again before anybody is told."""
    media, photo = talk.stage.wa.media, _sample("photo.jpg")
    for fault in (MediaFault.TRUNCATED, MediaFault.WRONG_HASH):
        media.break_downloads(fault)
        media.requests.clear()
        mark = talk.alice.mark()
        file = kinds.upload(media, photo.data, "image")
        await talk.ben.phone.send(talk.own.pn, kinds.image(file, caption=f"damaged {fault.name}"))
        async with asyncio.timeout(WAIT_SECONDS):
            while not any(request.method == "GET" for request in media.requests):
                await asyncio.sleep(0.02)
        media.repair()
        event = await talk.hears(f"damaged {fault.name}", after=mark)
        assert event.content["msgtype"] == "m.image"


async def _refused_upload(talk: Talk) -> None:
    """A file that WhatsApp does not take is told of, and what is written after it goes on."""
    talk.stage.wa.media.upload_status = 413
    mark = talk.alice.mark()
    await _put(talk, _sample("photo.jpg"), "m.image")
    await talk.alice.send_text(talk.room, "after the file")
    await talk.hears("was not bridged", sender="@whatsappbot:localhost", after=mark)
    received = await asyncio.wait_for(talk.ben.phone.receive_next(), WAIT_SECONDS)
    assert received.text == "after the file"
    talk.stage.wa.media.upload_status = 200


async def _homeserver_limit(talk: Talk) -> None:
    """Photos are made to fit; anything else is told of, with the limit."""
    noise = Sample(name="n", mime_type="image/png", data=saved(Image.effect_noise((2_600, 2_000), 120), "PNG"))
    assert len(noise.data) > LIMIT_BYTES
    event = await _receive(talk, noise, "image", lambda file: kinds.image(file, mime="image/png"))
    assert event.content["info"]["mimetype"] == "image/jpeg"
    photo = await talk.alice.download(event.content["url"])
    assert len(photo) == event.content["info"]["size"] <= LIMIT_BYTES
    info = event.content["info"]
    assert Image.open(io.BytesIO(photo)).size == (info["w"], info["h"])
    event = await _receive(talk, noise, "document", lambda file: kinds.document(file, "n.png", mime="image/png"))
    assert event.content["msgtype"] == "m.notice"
    assert "larger than the homeserver allows (4 MB)" in event.body


def _sample(name: str) -> Sample:
    return next(one for one in (*pictures(), *animations(), *videos(), *sounds()) if one.name == name)


async def _receive(talk: Talk, sample: Sample, kind: str, make: Any) -> Event:
    """What alice sees of a file of Ben's."""
    mark = talk.alice.mark()
    outgoing: Outgoing = make(kinds.upload(talk.stage.wa.media, sample.data, kind))
    await talk.ben.phone.send(talk.own.pn, outgoing)

    def fits(event: Event) -> bool:
        is_message = event.type in ("m.room.message", "m.sticker")
        return is_message and event.room_id == talk.room and event.sender == talk.ghost

    return await talk.alice.wait_for(fits, after=mark)


async def _check_seen(talk: Talk, event: Event, *, size: tuple[int, int], duration_ms: int = 0) -> None:
    """Size, duration, thumbnail and blurhash are those of the file."""
    info = event.content["info"]
    assert (info["w"], info["h"]) == size
    assert abs(info.get("duration", 0) - duration_ms) <= 50
    assert len(info["xyz.amorgan.blurhash"]) == 28
    thumbnail = Image.open(io.BytesIO(await talk.alice.download(info["thumbnail_url"])))
    assert thumbnail.size == (info["thumbnail_info"]["w"], info["thumbnail_info"]["h"])
    assert difference(thumbnail, quarters(thumbnail.size)) < 12


async def _put(talk: Talk, sample: Sample, msgtype: str, more: dict[str, Any] | None = None) -> None:
    uri = await talk.alice.upload(sample.data, mimetype=sample.mime_type, filename=sample.name)
    content = {"body": sample.name, "url": uri, "info": {"mimetype": sample.mime_type}, **(more or {})}
    if msgtype == "m.sticker":
        await talk.alice.send(talk.room, msgtype, content)
    else:
        await talk.alice.send(talk.room, "m.room.message", {**content, "msgtype": msgtype})


async def _send(talk: Talk, sample: Sample, msgtype: str, more: dict[str, Any] | None = None) -> tuple[Any, bytes]:
    """What Ben gets of a file of alice's, and its bytes."""
    await _put(talk, sample, msgtype, more)
    message = (await asyncio.wait_for(talk.ben.phone.receive_next(), WAIT_SECONDS)).message
    name = next(name for name in PARTS if message.HasField(name))
    part = getattr(message, name)
    kind = {"stickerMessage": "image"}.get(name, name.removesuffix("Message"))
    blob = talk.stage.wa.media.blobs[part.directPath.partition("?")[0]]
    return part, decrypt_media(blob, part.mediaKey, kind)
