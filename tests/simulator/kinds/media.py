"""Messages that carry a file."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import Any

from tests.simulator.crypto import sha256
from tests.simulator.kinds.actions import MessageRef
from tests.simulator.media_crypto import encrypt_media
from tests.simulator.media_host import MediaHost
from tests.simulator.outgoing import Outgoing
from tests.simulator.protobufs import e2e


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """A file on the media host."""

    url: str
    direct_path: str
    key: bytes
    sha256: bytes
    encrypted_sha256: bytes
    size_bytes: int

    def fields(self) -> dict[str, Any]:
        """The fields every media message has."""
        return {
            "URL": self.url,
            "directPath": self.direct_path,
            "mediaKey": self.key,
            "fileSHA256": self.sha256,
            "fileEncSHA256": self.encrypted_sha256,
            "fileLength": self.size_bytes,
            "mediaKeyTimestamp": int(time.time()),
        }


def upload(host: MediaHost, data: bytes, kind: str) -> Uploaded:
    """Encrypt a file and put it on the host."""
    media = encrypt_media(data, kind)
    stored = host.store(media.blob)
    return Uploaded(
        url=stored.url,
        direct_path=stored.direct_path,
        key=media.key,
        sha256=sha256(data),
        encrypted_sha256=sha256(media.blob),
        size_bytes=len(data),
    )


def image(
    file: Uploaded, *, caption: str = "", mime: str = "image/jpeg", size: tuple[int, int] = (64, 48)
) -> Outgoing:
    """A picture."""
    made = e2e.ImageMessage(**file.fields(), mimetype=mime, caption=caption, width=size[0], height=size[1])
    return Outgoing(message=e2e.Message(imageMessage=made), type="media", media_type="image")


def video(file: Uploaded, *, caption: str = "", seconds: int = 3) -> Outgoing:
    """A video."""
    made = _video(file, caption=caption, seconds=seconds)
    return Outgoing(message=e2e.Message(videoMessage=made), type="media", media_type="video")


def gif(file: Uploaded) -> Outgoing:
    """A silent looping video."""
    made = _video(file, caption="", seconds=2)
    made.gifPlayback = True
    return Outgoing(message=e2e.Message(videoMessage=made), type="media", media_type="gif")


def ptv(file: Uploaded) -> Outgoing:
    """A round video note."""
    made = _video(file, caption="", seconds=2)
    return Outgoing(message=e2e.Message(ptvMessage=made), type="media", media_type="ptv")


def voice(file: Uploaded, *, seconds: int = 2, waveform: bytes = bytes(range(64))) -> Outgoing:
    """A voice message."""
    made = e2e.AudioMessage(
        **file.fields(), mimetype="audio/ogg; codecs=opus", seconds=seconds, PTT=True, waveform=waveform
    )
    return Outgoing(message=e2e.Message(audioMessage=made), type="media", media_type="ptt")


def audio(file: Uploaded, *, mime: str = "audio/mpeg", seconds: int = 2) -> Outgoing:
    """An audio file."""
    made = e2e.AudioMessage(**file.fields(), mimetype=mime, seconds=seconds)
    return Outgoing(message=e2e.Message(audioMessage=made), type="media", media_type="audio")


def document(file: Uploaded, name: str, *, caption: str = "", mime: str = "application/pdf") -> Outgoing:
    """Any file; with a caption it travels wrapped."""
    made = e2e.DocumentMessage(**file.fields(), mimetype=mime, fileName=name, title=name, caption=caption)
    message = e2e.Message(documentMessage=made)
    if caption:
        message = e2e.Message(documentWithCaptionMessage=e2e.FutureProofMessage(message=message))
    return Outgoing(message=message, type="media", media_type="document")


def sticker(file: Uploaded, *, is_animated: bool = False, is_lottie: bool = False) -> Outgoing:
    """A sticker."""
    mime = "application/was" if is_lottie else "image/webp"
    made = e2e.StickerMessage(
        **file.fields(), mimetype=mime, width=512, height=512, isAnimated=is_animated, isLottie=is_lottie
    )
    message = e2e.Message(stickerMessage=made)
    if is_lottie:
        message = e2e.Message(lottieStickerMessage=e2e.FutureProofMessage(message=message))
    return Outgoing(message=message, type="media", media_type="sticker")


def view_once(outgoing: Outgoing) -> Outgoing:
    """The same media to be seen once."""
    wrapped = e2e.Message(viewOnceMessageV2=e2e.FutureProofMessage(message=outgoing.message))
    return dataclasses.replace(outgoing, message=wrapped)


def in_album(outgoing: Outgoing, head: MessageRef, index: int) -> Outgoing:
    """The same media as a part of an album."""
    message = e2e.Message()
    message.CopyFrom(outgoing.message)
    association = message.messageContextInfo.messageAssociation
    association.associationType = e2e.MessageAssociation.MEDIA_ALBUM
    association.parentMessageKey.CopyFrom(head.key())
    association.messageIndex = index
    return dataclasses.replace(outgoing, message=message)


def _video(file: Uploaded, *, caption: str, seconds: int) -> Any:
    return e2e.VideoMessage(
        **file.fields(), mimetype="video/mp4", caption=caption, seconds=seconds, width=64, height=48
    )
