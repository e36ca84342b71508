"""History, app state and profiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from neonize.aioze.events import HistorySyncEv, PictureEv
from neonize.exc import SendAppStateError
from neonize.proto.Neonize_pb2 import GetProfilePictureParams, MutationInfo, PatchInfo
from neonize.proto.waE2E import WAWebProtobufsE2E_pb2 as e2e
from neonize.proto.waSyncAction.WAWebProtobufSyncAction_pb2 import MuteAction, SyncActionValue
from neonize.utils.jid import build_jid

from tests.simulator.api import Jid
from tests.simulator.history import HistoryChunk, HistoryMessage
from tests.simulator.tests.clients import HISTORY_START, Pair, alice_and_bob, conversation, eventually
from tests.simulator.violations import ViolationKind

pytestmark = pytest.mark.neonize


@pytest.mark.parametrize("is_inline", [True, False])
@pytest.mark.parametrize(
    "sync_type",
    [
        "INITIAL_BOOTSTRAP",
        "INITIAL_STATUS_V3",
        "FULL",
        "RECENT",
        "PUSH_NAME",
        "NON_BLOCKING_DATA",
        "ON_DEMAND",
    ],
)
async def test_chunks_of_every_type(tmp_path: Path, sync_type: str, is_inline: bool) -> None:
    async with alice_and_bob(tmp_path) as x:
        status = HistoryMessage(message_id="S", message=e2e.Message(conversation="s"), at_seconds=HISTORY_START)
        chunk = HistoryChunk(
            sync_type=sync_type,
            order=3,
            progress=50,
            conversations=[conversation(x.bob.lid, 5)],
            push_names={x.bob.pn: "Bobby"},
            lid_of_pn={x.bob.pn: x.bob.lid},
            statuses=[status],
            is_inline=is_inline,
        )
        await x.alice.phone.send_history(x.device, chunk)
        data = (await x.client.wait(HistorySyncEv)).Data
        assert (data.chunkOrder, data.progress) == (3, 50)
        assert [m.message.message.conversation for m in data.conversations[0].messages] == [
            f"old {n}" for n in range(5)
        ]
        assert (len(data.statusV3Messages), data.pushnames[0].pushname) == (1, "Bobby")
        await x.wa.trace.wait_for(lambda: bool(x.alice.phone.peer_receipts))


async def test_fifty_thousand_messages_in_chunks(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        total = 0
        for order in range(5):
            chunk = HistoryChunk(
                sync_type="FULL",
                order=order,
                progress=20 * (order + 1),
                conversations=[conversation(Jid(f"2000{n}", "lid"), 100) for n in range(100)],
            )
            await x.alice.phone.send_history(x.device, chunk)
            data = (await x.client.wait(HistorySyncEv, timeout_seconds=30)).Data
            total += sum(len(c.messages) for c in data.conversations)
        assert total == 50_000


async def test_settings_before_linking_arrive_as_a_snapshot(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        phone, api = x.alice.phone, x.client.api
        await phone.set_contact(x.bob.pn, "Bob Builder", "Bob")
        await phone.set_mute(x.bob.pn)
        await phone.welcome(x.device)
        await eventually(lambda: full_name(x, "Bob Builder"))
        await eventually(lambda: setting(x, "MutedUntil"))
        await phone.set_push_name("Alice A.")
        await eventually(lambda: own_name(api, "Alice A."))


async def test_settings_changed_later_arrive_as_patches(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        phone, api = x.alice.phone, x.client.api
        await phone.welcome(x.device)
        await eventually(lambda: own_name(api, "Alice"))
        await phone.set_contact(x.bob.pn, "First Name")
        await eventually(lambda: full_name(x, "First Name"))
        await phone.set_contact(x.bob.pn, "Second Name")
        await eventually(lambda: full_name(x, "Second Name"))
        await phone.set_pin(x.bob.pn)
        await eventually(lambda: setting(x, "Pinned"))
        await phone.set_archived(x.bob.pn)
        await eventually(lambda: setting(x, "Archived"))
        await phone.set_pin(x.bob.pn, is_pinned=False)
        await eventually(lambda: unset(x, "Pinned"))
        await phone.mark_chat_read(x.bob.pn)
        await phone.remove_app_state("critical_unblock_low", ["contact", str(x.bob.pn)], version=2)


async def test_client_changes_its_push_name(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        await x.alice.phone.welcome(x.device)
        await eventually(lambda: own_name(x.client.api, "Alice"))
        await x.client.api.set_profile_name("Alice Renamed")
        values = x.alice.app_state.read("critical_block").values()
        assert [value.pushNameSetting.name for value in values] == ["Alice Renamed"]


async def test_profile_picture_set_changed_hidden_removed(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        bob = build_jid(x.bob.pn.user)
        params = GetProfilePictureParams(Preview=False, ExistingID="", IsCommunity=False)
        with pytest.raises(Exception, match="does not have"):
            await x.client.api.get_profile_picture(bob, params)
        first = await x.bob.phone.set_picture(b"one")
        assert not (await x.client.wait(PictureEv)).Remove
        assert first == (await x.client.api.get_profile_picture(bob, params)).ID
        known = GetProfilePictureParams(Preview=False, ExistingID=first, IsCommunity=False)
        assert not (await x.client.api.get_profile_picture(bob, known)).URL
        second = await x.bob.phone.set_picture(b"two")
        assert second == (await x.client.api.get_profile_picture(bob, params)).ID
        x.bob.is_picture_hidden = True
        with pytest.raises(Exception, match="hidden"):
            await x.client.api.get_profile_picture(bob, params)
        x.bob.is_picture_hidden = False
        await x.bob.phone.set_picture(None)
        assert (await x.client.wait(PictureEv, lambda e: e.Remove)).Remove


async def test_profile_of_the_client(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        await x.client.api.set_profile_photo(b"\xff\xd8\xff\xe0 photo")
        assert x.alice.picture is not None
        await x.client.api.set_status_message("busy")
        assert x.alice.about == "busy"
        await x.bob.phone.set_about("away")
        info = await x.client.api.get_user_info(build_jid(x.bob.pn.user))
        assert info[0].UserInfo.Status == "away"
        assert await x.client.api.get_contact_qr_link()
        assert await x.client.api.get_status_privacy()


async def full_name(x: Pair, name: str) -> bool:
    """True when the contact book of the client says so."""
    return bool((await x.client.api.contact.get_contact(build_jid(x.bob.pn.user))).FullName == name)


async def setting(x: Pair, name: str) -> bool:
    """True when a chat setting is set in the client."""
    settings: Any = await x.client.api.chat_settings.get_chat_settings(build_jid(x.bob.pn.user))
    return bool(getattr(settings, name))


async def unset(x: Pair, name: str) -> bool:
    """True when a chat setting is not set in the client."""
    return not await setting(x, name)


async def own_name(api: Any, name: str) -> bool:
    """True when the client knows its push name."""
    return bool((await api.get_me()).PushName == name)


async def test_the_library_cannot_write_how_a_chat_is_put(tmp_path: Path) -> None:
    """What users are told; the day this fails, pins, archives and mutes can go to WhatsApp."""
    async with alice_and_bob(tmp_path) as x:
        await x.alice.phone.welcome(x.device)
        await eventually(lambda: own_name(x.client.api, "Alice"))
        x.wa.trace.tolerate(ViolationKind.MISSING_ATTRIBUTE)
        value = SyncActionValue(muteAction=MuteAction(muted=True, muteEndTimestamp=-1))
        mutation = MutationInfo(Index=["mute", str(x.bob.pn)], Version=2, Value=value)
        patch = PatchInfo(Timestamp=1, Type=PatchInfo.REGULAR_HIGH, Mutations=[mutation])
        with pytest.raises(SendAppStateError, match="400"):
            await x.client.api.send_app_state(patch)
        assert x.alice.app_state.read("regular_high") == {}
