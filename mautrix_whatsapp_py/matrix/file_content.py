"""Files in the content of messages: from and to Matrix JSON."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

from mautrix_whatsapp_py.ids import MxUri
from mautrix_whatsapp_py.matrix.fields import Fields, get_fields, get_text
from mautrix_whatsapp_py.model.media import MxFile, MxFileKey, MxStoredFile, MxThumbnail

Json = dict[str, Any]

_AUDIO: Final = "org.matrix.msc1767.audio"
_GIF: Final = {
    "fi.mau.gif": True,
    "fi.mau.loop": True,
    "fi.mau.autoplay": True,
    "fi.mau.hide_controls": True,
    "fi.mau.no_audio": True,
}
_BLURHASH: Final = "xyz.amorgan.blurhash"
_ANIMATED: Final = "org.matrix.msc4230.is_animated"
_MAX_WAVEFORM: Final = 1_024
_MAX_NUMBER: Final = 2**31 - 1


def decode_file(content: Fields) -> MxFile | None:
    """The file of a message; None when it has none that can be opened."""
    stored, info = _decode_stored(content, "file", "url"), get_fields(content, "info")
    if stored is None:
        return None
    audio = get_fields(content, _AUDIO)
    return MxFile(
        uri=stored.uri,
        mime_type=get_text(info, "mimetype") or "",
        size_bytes=_get_number(info, "size"),
        width=_get_number(info, "w"),
        height=_get_number(info, "h"),
        duration_ms=_get_number(info, "duration") or _get_number(audio, "duration"),
        waveform=_decode_waveform(audio),
        key=stored.key,
        thumbnail=_decode_thumbnail(info),
        is_gif=info.get("fi.mau.gif") is True,
    )


def encode_file(file: MxFile, *, is_audio: bool) -> Json:
    """What a file adds to the content of its message."""
    info = {
        "mimetype": file.mime_type,
        "size": file.size_bytes,
        "w": file.width,
        "h": file.height,
        "duration": file.duration_ms,
    }
    said: Json = {"info": {name: value for name, value in info.items() if value}}
    if file.is_gif:
        said["info"] |= _GIF
    if file.is_animated:
        said["info"][_ANIMATED] = True
    if file.blurhash:
        said["info"][_BLURHASH] = file.blurhash
    if file.thumbnail is not None:
        said["info"] |= _encode_thumbnail(file.thumbnail)
    if file.key is None:
        said["url"] = file.uri
    else:
        said["file"] = encode_key(file.uri, file.key)
    if is_audio:
        said[_AUDIO] = {"duration": file.duration_ms}
        if file.waveform:
            said[_AUDIO]["waveform"] = list(file.waveform)
    return said


def _decode_stored(fields: Fields, sealed_name: str, open_name: str) -> MxStoredFile | None:
    sealed = get_fields(fields, sealed_name)
    key = _decode_key(sealed)
    uri = get_text(sealed, "url") if sealed else get_text(fields, open_name)
    if not uri or not uri.startswith("mxc://") or (sealed and key is None):
        return None
    return MxStoredFile(uri=MxUri(uri), key=key)


def _decode_thumbnail(info: Fields) -> MxThumbnail | None:
    stored, about = _decode_stored(info, "thumbnail_file", "thumbnail_url"), get_fields(info, "thumbnail_info")
    if stored is None:
        return None
    return MxThumbnail(
        stored=stored,
        mime_type=get_text(about, "mimetype") or "",
        size_bytes=_get_number(about, "size"),
        width=_get_number(about, "w"),
        height=_get_number(about, "h"),
    )


def _encode_thumbnail(thumbnail: MxThumbnail) -> Json:
    stored = thumbnail.stored
    info = {
        "mimetype": thumbnail.mime_type,
        "size": thumbnail.size_bytes,
        "w": thumbnail.width,
        "h": thumbnail.height,
    }
    if stored.key is None:
        return {"thumbnail_url": stored.uri, "thumbnail_info": info}
    return {"thumbnail_file": encode_key(stored.uri, stored.key), "thumbnail_info": info}


def _decode_waveform(audio: Fields) -> tuple[int, ...]:
    waveform = audio.get("waveform")
    if not isinstance(waveform, list):
        return ()
    values = (value for value in waveform[:_MAX_WAVEFORM] if isinstance(value, int))
    return tuple(min(max(value, 0), 1024) for value in values)


def _get_number(fields: Fields, name: str) -> int:
    value = fields.get(name)
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return min(max(int(value), 0), _MAX_NUMBER) if is_number and value is not None else 0


def _decode_key(sealed: Fields) -> MxFileKey | None:
    jwk, hashes = get_fields(sealed, "key"), get_fields(sealed, "hashes")
    key, iv, digest = (
        _decode_base64(get_text(fields, name)) for fields, name in ((jwk, "k"), (sealed, "iv"), (hashes, "sha256"))
    )
    if (len(key), len(iv), len(digest)) != (32, 16, 32) or jwk.get("alg") != "A256CTR":
        return None
    return MxFileKey(key=key, iv=iv, sha256=digest)


def _decode_base64(text: str | None) -> bytes:
    plain = (text or "").replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def encode_key(uri: MxUri, key: MxFileKey) -> Json:
    """Where an encrypted file is and what opens it."""
    return {
        "url": uri,
        "v": "v2",
        "key": {
            "kty": "oct",
            "alg": "A256CTR",
            "ext": True,
            "key_ops": ["encrypt", "decrypt"],
            "k": base64.urlsafe_b64encode(key.key).decode().rstrip("="),
        },
        "iv": base64.b64encode(key.iv).decode().rstrip("="),
        "hashes": {"sha256": base64.b64encode(key.sha256).decode().rstrip("=")},
    }
