"""Whose devices are trusted with what, and which keys are kept."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from mautrix.types import TrustState

from mautrix_whatsapp_py.app.crypto import crypto_options
from mautrix_whatsapp_py.config import load
from mautrix_whatsapp_py.errors import MatrixError, MatrixRefused, MatrixUnreachable
from mautrix_whatsapp_py.ids import MxRoomId
from mautrix_whatsapp_py.matrix.crypto_options import CryptoOptions
from mautrix_whatsapp_py.model.sealed import CannotOpen, OpenFailure
from tests.unit.config.samples import SMALLEST

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

CHOSEN = """encryption:
    allow: true
    verification_levels: {receive: cross-signed-tofu, send: cross-signed-untrusted, share: unverified}
    delete_keys: {dont_store_outbound: true, periodically_delete_expired: true, delete_outdated_inbound: true}
    rotation: {disable_device_change_key_rotation: true}
"""


def options(tmp_path: Path, text: str = "") -> CryptoOptions:
    path = tmp_path / "config.yaml"
    path.write_text(SMALLEST + text)
    return crypto_options(load(path, {}))


def rules() -> Any:
    from mautrix_whatsapp_py.matrix import crypto_rules

    return crypto_rules


def test_the_library_obeys_the_configuration(tmp_path: Path) -> None:
    machine = cast(Any, SimpleNamespace())
    rules().set_rules(machine, options(tmp_path))
    assert machine.send_keys_min_trust is TrustState.UNVERIFIED
    assert machine.share_keys_min_trust is TrustState.CROSS_SIGNED_TOFU
    assert not machine.dont_store_outbound_keys
    rules().set_rules(machine, options(tmp_path, CHOSEN))
    assert machine.send_keys_min_trust is TrustState.CROSS_SIGNED_TOFU
    assert machine.share_keys_min_trust is TrustState.UNVERIFIED
    assert machine.dont_store_outbound_keys
    assert machine.disable_device_change_key_rotation


@pytest.mark.parametrize(
    ("trust", "usual", "strict"),
    [
        (TrustState.BLACKLISTED, OpenFailure.UNKNOWN_DEVICE, OpenFailure.UNKNOWN_DEVICE),
        (TrustState.UNKNOWN_DEVICE, OpenFailure.UNKNOWN_DEVICE, OpenFailure.UNKNOWN_DEVICE),
        (TrustState.UNVERIFIED, None, OpenFailure.UNTRUSTED),
        (TrustState.FORWARDED, None, OpenFailure.UNTRUSTED),
        (TrustState.CROSS_SIGNED_UNTRUSTED, None, None),
        (TrustState.CROSS_SIGNED_TOFU, None, None),
        (TrustState.VERIFIED, None, None),
    ],
)
def test_messages_of_devices_that_are_not_trusted_are_refused(
    trust: TrustState, usual: OpenFailure | None, strict: OpenFailure | None, tmp_path: Path
) -> None:
    for text, expected in (("", usual), (CHOSEN, strict)):
        try:
            rules().require_trust(trust, options(tmp_path, text))
            failure = None
        except CannotOpen as error:
            failure = error.failure
        assert failure is expected


class _Store:
    def __init__(self) -> None:
        self.asked: list[str] = []

    async def redact_expired_group_sessions(self) -> list[str]:
        self.asked.append("expired")
        return ["a", "b"]

    async def redact_outdated_group_sessions(self) -> list[str]:
        self.asked.append("ageless")
        return ["c"]

    async def forget_asides(self) -> None:
        self.asked.append("claims of others")


async def test_keys_are_forgotten_where_that_is_asked_for(tmp_path: Path) -> None:
    store = _Store()
    assert await rules().forget_keys(store, options(tmp_path), is_start=True) == 0
    assert not store.asked
    assert await rules().forget_keys(store, options(tmp_path, CHOSEN)) == 2
    assert await rules().forget_keys(store, options(tmp_path, CHOSEN), is_start=True) == 3
    assert store.asked == ["expired", "expired", "ageless", "claims of others"]


class _Rooms:
    def __init__(self, error: MatrixError | None) -> None:
        self._error = error

    async def fetch_room_state(self, room_id: MxRoomId) -> dict[str, object]:
        if self._error is not None:
            raise self._error
        return {"algorithm": "m.megolm.v1.aes-sha2", "rotation_period_msgs": 7}


@pytest.mark.parametrize("error", [MatrixRefused(status=403), MatrixUnreachable()])
async def test_keys_of_rooms_that_are_not_joined_yet_are_taken(error: MatrixError) -> None:
    from mautrix_whatsapp_py.matrix.crypto_store import MachineRooms

    assert await MachineRooms(cast(Any, _Rooms(error))).get_encryption_info(cast(Any, "!room:localhost"))
    known = await MachineRooms(cast(Any, _Rooms(None))).get_encryption_info(cast(Any, "!room:localhost"))
    assert known is not None
    assert known.rotation_period_msgs == 7
