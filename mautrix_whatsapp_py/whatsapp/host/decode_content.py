"""Body of a message: from protobuf to the model. Kinds beyond text grow here and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mautrix_whatsapp_py.model.wa import WaContent, WaFile
from mautrix_whatsapp_py.whatsapp.host.journal import LARGE_BYTES, write_private

_SIDE_FIELDS = frozenset({"messageContextInfo", "senderKeyDistributionMessage"})


def decode_content(message: Any, spill: Path | None) -> WaContent:
    """The body; its kind is the protobuf field that is set, `none` when it carries nothing for users.

    A body too large for the socket goes to `spill`.
    """
    raw: bytes = message.SerializeToString()
    kind, text = _kind(message), _text(message)
    if len(raw) <= LARGE_BYTES or spill is None:
        return WaContent(kind=kind, text=text, raw=raw)
    write_private(spill, raw)
    file = WaFile(path=str(spill), size=len(raw))
    return WaContent(kind=kind, text=text if len(text) < LARGE_BYTES else "", raw_file=file)


def _kind(message: Any) -> str:
    names = [field.name for field, _ in message.ListFields()]
    return next((name for name in names if name not in _SIDE_FIELDS), "none")


def _text(message: Any) -> str:
    if message.HasField("conversation"):
        return str(message.conversation)
    if message.HasField("extendedTextMessage"):
        return str(message.extendedTextMessage.text)
    return ""
