"""Questions and requests about people, groups, channels and links, through host and library to the simulator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mautrix_whatsapp_py.errors import WhatsAppRefused
from mautrix_whatsapp_py.ids import WaJid
from mautrix_whatsapp_py.model.wa import WaCall, WaMessage
from mautrix_whatsapp_py.model.wa_directory import WaTargetKind
from mautrix_whatsapp_py.whatsapp.directory import ClientDirectory
from tests.simulator import groups, newsletters
from tests.simulator.api import Account, kinds, simulator
from tests.whatsapp.harness import Bench, bench, to_wa_jid

pytestmark = pytest.mark.neonize


@dataclass(slots=True)
class Desk:
    """Alice, who is linked, and Bob."""

    it: Bench
    directory: ClientDirectory
    alice: Account
    bob: Account


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "sessions") as it:
        alice, bob = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Bob")
        client, device = await it.pair(alice)
        await alice.phone.welcome(device)
        yield Desk(it=it, directory=ClientDirectory(client), alice=alice, bob=bob)


async def test_people(desk: Desk) -> None:
    found = await desk.directory.find_numbers(["15550002222", "15550009999"])
    by_number = {item.number: item for item in found}
    assert by_number["15550002222"].is_registered
    assert by_number["15550002222"].lid == to_wa_jid(desk.bob.lid)
    assert not by_number["15550009999"].is_registered
    await desk.alice.phone.set_contact(desk.bob.pn, "Robert Builder", "Bob")
    await desk.alice.phone.set_mute(desk.bob.pn)
    await desk.alice.phone.set_archived(desk.bob.pn)
    await desk.bob.phone.text(desk.alice.pn, "hello")
    await desk.it.sink.until(lambda: desk.it.sink.texts())

    async def has_both() -> bool:
        contacts = await desk.directory.fetch_contacts()
        settings = await desk.directory.fetch_chat_settings()
        is_known = any(item.full_name == "Robert Builder" for item in contacts)
        return is_known and any(item.is_archived and item.muted_until for item in settings)

    await until(has_both)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await condition():
            await asyncio.sleep(0.1)


async def test_groups(desk: Desk) -> None:
    directory, bob = desk.directory, to_wa_jid(desk.bob.pn)
    made = await directory.create_group("Club", [bob])
    assert made.name == "Club"
    assert len(made.members) == 2
    (brief,) = await directory.fetch_groups()
    assert (brief.jid, brief.name, brief.member_count) == (made.jid, "Club", 2)
    link = await directory.fetch_invite_link(made.jid)
    assert await directory.fetch_invite_link(made.jid, is_reset=True) != link
    await directory.set_disappearing(made.jid, 86400)
    assert (await directory.fetch_group(made.jid)).disappearing_seconds == 86400
    await directory.set_disappearing(made.jid, 0)
    await directory.set_disappearing(bob, 604800)
    await directory.leave_group(made.jid)
    assert await directory.fetch_groups() == ()
    with pytest.raises(WhatsAppRefused) as refused:
        await directory.fetch_group(made.jid)
    assert refused.value.code in {"forbidden", "not-a-member"}


async def test_links(desk: Desk) -> None:
    directory, world = desk.directory, desk.it.wa.world
    group = groups.make_group(world, desk.bob, "Bob's club")
    url = f"https://chat.whatsapp.com/{group.invite}"
    target = await directory.resolve_link(url)
    assert (target.kind, target.name, target.jid) == (WaTargetKind.GROUP, "Bob's club", to_wa_jid(group.jid))
    joined = await directory.join_link(url)
    assert (joined.jid, joined.is_pending) == (to_wa_jid(group.jid), False)
    closed = groups.make_group(world, desk.bob, "Closed")
    groups.set_join_approval(world, closed, desk.bob, is_required=True)
    assert (await directory.join_link(f"https://chat.whatsapp.com/{closed.invite}")).is_pending
    for url, code in (
        ("https://chat.whatsapp.com/AAAAAAAAAAAAAAAAAAAAAA", "invalid"),
        ("https://x.org", "not-a-link"),
    ):
        with pytest.raises(WhatsAppRefused) as refused:
            await directory.resolve_link(url)
        assert refused.value.code == code
    third = groups.make_group(world, desk.bob, "Third")
    expires = datetime.now(UTC) + timedelta(days=1)
    bob = to_wa_jid(desk.bob.lid)
    accepted = await directory.accept_invite(to_wa_jid(third.jid), inviter=bob, code=third.invite, expires=expires)
    assert accepted.jid == to_wa_jid(third.jid)
    assert {brief.name for brief in await directory.fetch_groups()} == {"Bob's club", "Third"}


async def test_channels_and_calls(desk: Desk) -> None:
    directory, world, sink = desk.directory, desk.it.wa.world, desk.it.sink
    news = newsletters.create_newsletter(world, desk.bob, "News", "All of it")
    url = f"https://whatsapp.com/channel/{news.invite}"
    target = await directory.resolve_link(url)
    assert (target.kind, target.name, target.topic) == (WaTargetKind.NEWSLETTER, "News", "All of it")
    assert (await directory.join_link(url)).jid == to_wa_jid(news.jid)
    (followed,) = await directory.fetch_newsletters()
    assert (followed.name, followed.is_subscribed, followed.is_muted) == ("News", True, False)
    await directory.mute_newsletter(followed.jid, is_muted=True)
    assert (await directory.fetch_newsletters())[0].is_muted
    post = newsletters.publish_post(world, news, kinds.text("fresh"))
    await sink.until(lambda: "fresh" in sink.texts())
    message = next(event for event in sink.of_kind(WaMessage) if event.source.chat == followed.jid)
    assert message.server_id == post.server_id
    await directory.react_to_post(followed.jid, post.server_id, "👍")

    async def is_counted() -> bool:
        return post.reactions == {"👍": 1}

    await until(is_counted)
    await directory.follow_newsletter(followed.jid, is_wanted=False)
    assert await directory.fetch_newsletters() == ()
    await desk.bob.phone.call(desk.alice, "offer", "CALL1", media="audio")
    await sink.until(lambda: sink.of_kind(WaCall))
    (call,) = sink.of_kind(WaCall)
    await directory.reject_call(WaJid(user=call.caller.user, server=call.caller.server), call.call_id)
    rejected = await desk.bob.phone.calls.get()
    assert rejected.require_child("reject").get("call-id") == "CALL1"
