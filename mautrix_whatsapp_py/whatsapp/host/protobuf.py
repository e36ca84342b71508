"""The library's protobuf classes, and the few conversions every decoder needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mautrix_whatsapp_py.ids import USER_SERVER, WaJid, decode_jid
from mautrix_whatsapp_py.whatsapp.host.library import import_binding

DEVICE_CODE = 0
PAIR_CODE = 2
LOGGED_OUT_CODE = 6
HISTORY_CODE = 13
MESSAGE_CODE = 17
RECEIPT_CODE = 18
BACKLOG_END_CODE = 27
DECRYPTED_CODES = frozenset({MESSAGE_CODE, 44})
"""Messages, and those that could not be decrypted."""
_MAX_ADDRESS = 64
_NAMES = {
    0: "Device",
    2: "PairStatus",
    3: "Connected",
    4: "KeepAliveTimeout",
    5: "KeepAliveRestored",
    6: "LoggedOut",
    7: "StreamReplaced",
    8: "TemporaryBan",
    9: "ConnectFailure",
    10: "ClientOutdated",
    11: "StreamError",
    12: "Disconnected",
    13: "HistorySync",
    17: "Message",
    RECEIPT_CODE: "Receipt",
    19: "ChatPresence",
    20: "Presence",
    21: "JoinedGroup",
    22: "GroupInfoEvent",
    23: "Picture",
    24: "IdentityChange",
    25: "privacySettingsEvent",
    26: "OfflineSyncPreview",
    BACKLOG_END_CODE: "OfflineSyncCompleted",
    30: "BlocklistEvent",
    31: "BlocklistChange",
    32: "NewsletterJoin",
    35: "NewsletterLiveUpdate",
    36: "CallOffer",
    37: "CallAccept",
    38: "CallPreAccept",
    39: "CallTransport",
    40: "CallOfferNotice",
    42: "CallTerminate",
    43: "UnknownCallEvent",
    44: "UndecryptableMessage",
}


def _import_messages() -> Any:
    import_binding()
    from neonize.proto import Neonize_pb2

    return Neonize_pb2


def _import_e2e() -> Any:
    import_binding()
    from neonize.proto.waE2E import WAWebProtobufsE2E_pb2

    return WAWebProtobufsE2E_pb2


def _import_decode_error() -> type[Exception]:
    from google.protobuf.message import DecodeError

    error: type[Exception] = DecodeError
    return error


def _import_device_props() -> Any:
    import_binding()
    from neonize.proto.waCompanionReg import WAWebProtobufsCompanionReg_pb2

    return WAWebProtobufsCompanionReg_pb2.DeviceProps


def _import_history() -> Any:
    import_binding()
    from neonize.proto.waHistorySync import WAWebProtobufsHistorySync_pb2

    return WAWebProtobufsHistorySync_pb2


@dataclass(slots=True)
class Protobuf:
    """Classes by event code."""

    messages: Any = field(default_factory=_import_messages)
    e2e: Any = field(default_factory=_import_e2e)
    device_props: Any = field(default_factory=_import_device_props)
    history: Any = field(default_factory=_import_history)
    decode_error: type[Exception] = field(default_factory=_import_decode_error)

    @staticmethod
    def name_of(code: int) -> str:
        """The library's name of an event."""
        return _NAMES.get(code, f"code-{code}")

    def parse(self, code: int, body: bytes) -> Any:
        """An event from its bytes."""
        return getattr(self.messages, _NAMES[code]).FromString(body)

    def parse_history(self, body: bytes) -> Any:
        """A history chunk, without the library's wrapper."""
        return self.history.HistorySync.FromString(body)

    @staticmethod
    def enum_name(message: Any, name: str) -> str:
        """Name of an enum field's value."""
        values = message.DESCRIPTOR.fields_by_name[name].enum_type.values_by_number
        return str(values[getattr(message, name)].name)

    @staticmethod
    def node_attributes(node: Any) -> dict[str, str]:
        """Text attributes of a protocol node."""
        return {item.name: item.text for item in node.Attrs if item.HasField("text")} | {
            item.name: f"{item.jid.User}@{item.jid.Server}" for item in node.Attrs if item.HasField("jid")
        }

    @staticmethod
    def jid_attribute(attributes: dict[str, str], name: str) -> WaJid | None:
        """An address among attributes."""
        try:
            return decode_jid(attributes[name])
        except (KeyError, ValueError):
            return None

    def encode_jid(self, jid: WaJid) -> bytes:
        """An address with every field the library insists on."""
        message = self.messages.JID(
            User=jid.user, Server=jid.server, Device=jid.device, RawAgent=0, Integrator=0, IsEmpty=False
        )
        body: bytes = message.SerializeToString()
        return body


def get_jid(value: Any) -> WaJid | None:
    """An address, None when the library left it empty."""
    if value.IsEmpty or not value.Server:
        return None
    return WaJid(user=value.User, server=value.Server, device=value.Device)


def require_jid(value: Any) -> WaJid:
    """An address; ValueError when it is empty."""
    jid = get_jid(value)
    if jid is None:
        raise ValueError("address missing")
    return jid


def get_text(value: str | bytes, limit: int) -> str:
    """A text field, cut to a length; one that is no UTF-8 comes as bytes."""
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    return text[:limit]


def get_address(value: str | bytes) -> WaJid | None:
    """An address in a text field, without its device; None when it is none, or nobody's."""
    try:
        jid = decode_jid(get_text(value, _MAX_ADDRESS)) if len(value) <= _MAX_ADDRESS else None
    except ValueError:
        return None
    if jid is None or not jid.user:
        return None
    # Old messages spell the server of numbers this way.
    return WaJid(user=jid.user, server=USER_SERVER if jid.server == "c.us" else jid.server)


def has_unknown_fields(message: Any) -> bool:
    """Whether a message holds what these classes do not know."""
    from google.protobuf.unknown_fields import UnknownFieldSet

    return len(UnknownFieldSet(message)) > 0


def get_time_s(seconds: int) -> datetime | None:
    """A time from seconds; the library's zero times are years before 1970."""
    return datetime.fromtimestamp(seconds, tz=UTC) if seconds > 0 else None


def get_time_ms(milliseconds: int) -> datetime | None:
    """A time from milliseconds; the library's zero times are years before 1970."""
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC) if milliseconds > 0 else None


def strip_wrapper(body: bytes) -> bytes:
    """The only field of a message, cut out without parsing; the body as it is when it has another form."""
    if not body or body[0] != _FIELD_ONE_BYTES:
        return body
    size, shift, position = 0, 0, 1
    while position < len(body):
        byte = body[position]
        size |= (byte & 0x7F) << shift
        shift += 7
        position += 1
        if not byte & 0x80:
            break
    return body[position:] if len(body) - position == size else body


_FIELD_ONE_BYTES = 0x0A
