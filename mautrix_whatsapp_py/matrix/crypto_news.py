"""What the bot's device is told: keys, requests for keys, changes of devices. Loading it loads the ciphers."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

from mautrix.crypto import OlmMachine
from mautrix.errors import MatrixError
from mautrix.types import DeviceLists, DeviceOTKCount, EventType, ToDeviceEvent, UserID

from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.matrix.crypto_errors import is_of_data, is_of_database
from mautrix_whatsapp_py.matrix.fields import Fields, get_fields, get_text
from mautrix_whatsapp_py.matrix.http import Json
from mautrix_whatsapp_py.matrix.transaction import MxKeyCount, MxKeyNews, MxToDevice

log = logging.getLogger(__name__)

_ENCRYPTED, _REQUEST = str(EventType.TO_DEVICE_ENCRYPTED), str(EventType.ROOM_KEY_REQUEST)
_WITHHELD = frozenset({"m.room_key.withheld", "org.matrix.room_key.withheld"})
_REFUSALS = frozenset({"m.unverified", "m.blacklisted"})
"""Withheld for what the device is, and not because something went wrong."""


def decode_synced(data: Json, user: MxUserId, device: str) -> MxKeyNews:
    """What an answer to /sync says."""
    events = get_fields(data, "to_device").get("events")
    changed = get_fields(data, "device_lists").get("changed")
    count = get_fields(data, "device_one_time_keys_count").get("signed_curve25519", 0)
    return MxKeyNews(
        messages=tuple(
            MxToDevice(
                sender=MxUserId(str(event.get("sender"))),
                to_user=user,
                to_device=device,
                kind=str(event.get("type")),
                body=json.dumps(event),
            )
            for event in (events if isinstance(events, list) else ())
            if isinstance(event, dict)
        ),
        changed=tuple(MxUserId(str(one)) for one in (changed if isinstance(changed, list) else ())),
        counts=(MxKeyCount(user=user, device=device, left=count),) if isinstance(count, int) else (),
    )


class KeyDesk:
    """Takes what is told to the device; what it has taken is in the store."""

    def __init__(self, machine: OlmMachine, on_refused: Callable[[str], None]) -> None:
        """`on_refused` is told of sessions whose keys somebody will not give to the device."""
        self._machine = machine
        self._on_refused = on_refused

    async def take(self, news: MxKeyNews) -> None:
        """Raises what the database raises, or MatrixError: then it has to be told again."""
        # First what may have to be asked of the homeserver: a message that is taken twice looks like an attack.
        await self._note_devices(news)
        await self._refill(news)
        for message in news.messages:
            if self._is_own(message.to_user, message.to_device):
                await self._take_message(message)

    def _is_own(self, user: MxUserId, device: str) -> bool:
        client = self._machine.client
        return (str(user), device) == (str(client.mxid), str(client.device_id))

    async def _note_devices(self, news: MxKeyNews) -> None:
        if not news.changed:
            return
        try:
            await self._machine.handle_device_lists(DeviceLists(changed=[UserID(one) for one in news.changed]))
        except MatrixError as error:
            if not _is_final(error):
                raise
            log.info("the homeserver does not say which devices have changed: %s", type(error).__name__)

    async def _refill(self, news: MxKeyNews) -> None:
        for count in news.counts:
            if self._is_own(count.user, count.device):
                await self._machine.handle_otk_count(DeviceOTKCount(curve25519=0, signed_curve25519=count.left))

    async def _take_message(self, message: MxToDevice) -> None:
        raw = json.loads(message.body)
        if message.kind in _WITHHELD:
            self._note_refusal(get_fields(raw, "content"))
            return
        if message.kind not in (_ENCRYPTED, _REQUEST):
            return
        try:
            event = ToDeviceEvent.deserialize(raw)
            if message.kind == _ENCRYPTED:
                await self._machine.handle_to_device_event(event)
            else:
                await self._machine.handle_room_key_request(event)
        except Exception as error:
            # Of the library's decryption or of a strange message: nothing would come of another try.
            if is_of_database(error) and not is_of_data(error):
                raise
            log.info("a message to the device was left aside: %s", type(error).__name__)

    def _note_refusal(self, content: Fields) -> None:
        session = get_text(content, "session_id")
        if session and get_text(content, "code") in _REFUSALS:
            self._on_refused(session)


def _is_final(error: MatrixError) -> bool:
    status = getattr(error, "http_status", 0) or 0
    return 400 <= status < 500 and status != 429
