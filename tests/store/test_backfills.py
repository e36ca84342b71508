"""The tables of history."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from mautrix_whatsapp_py.ids import LoginId, MxEventId, MxRoomId, MxUserId, PortalKey, WaJid
from mautrix_whatsapp_py.model.backfill import BackfillRun, RunState
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.store.backfills import BackfillRows
from mautrix_whatsapp_py.store.logins import LoginBook
from mautrix_whatsapp_py.store.portal_end import PortalEnd
from mautrix_whatsapp_py.store.portals import PortalRows
from mautrix_whatsapp_py.store.store import Store

LOGIN, OTHER = LoginId("491"), LoginId("492")
RUN = BackfillRun(
    login_id=LOGIN, state=RunState.RUNNING, started_at=datetime(2026, 1, 1, tzinfo=UTC), chats_total=3
)


async def test_a_run_is_as_it_was_put_last(store: Store) -> None:
    rows = BackfillRows()
    later = replace(
        RUN,
        state=RunState.DONE,
        chats_done=3,
        messages_total=9,
        messages_done=8,
        files_total=2,
        files_done=1,
        room_id=MxRoomId("!r"),
        event_id=MxEventId("$e"),
    )
    async with store.transaction() as tx:
        assert await rows.get_run(tx, LOGIN) is None
        await rows.put_run(tx, RUN)
        assert await rows.get_run(tx, LOGIN) == RUN
        await rows.put_run(tx, later)
    async with store.reading() as tx:
        assert await rows.get_run(tx, LOGIN) == later
        assert await rows.get_run(tx, OTHER) is None


async def test_what_was_told_counts_for_the_link_it_was_told_of(store: Store) -> None:
    rows, jid = BackfillRows(), WaJid(user="491", server="s.whatsapp.net")
    login = Login(id=LOGIN, user=MxUserId("@a:x"), jid=jid, linked_at=RUN.started_at)
    anew = replace(login, linked_at=RUN.started_at.replace(year=2027))
    async with store.transaction() as tx:
        assert await rows.get_told(tx, login) == 0
        await rows.put_told(tx, login, 3)
        assert (await rows.get_told(tx, login), await rows.get_told(tx, anew)) == (3, 0)
    await LoginBook(store).remove(LOGIN)
    async with store.reading() as tx:
        assert await rows.get_told(tx, login) == 0


async def test_open_chats_go_with_their_portal_and_with_their_login(store: Store) -> None:
    rows, portals = BackfillRows(), PortalRows()
    async with store.transaction() as tx:
        first, second, third = [
            (await portals.ensure(tx, PortalKey(chat=WaJid(user=str(number), server="g.us")))).id
            for number in range(3)
        ]
        for portal_id in (first, second, third):
            await rows.open_chat(tx, LOGIN, portal_id)
            await rows.open_chat(tx, LOGIN, portal_id)
        await rows.open_chat(tx, OTHER, third)
        await rows.close_chat(tx, LOGIN, first)
        await PortalEnd().remove(tx, second)
        await rows.put_run(tx, RUN)
        assert set(await rows.get_open_chats(tx)) == {(LOGIN, third), (OTHER, third)}
    await LoginBook(store).remove(LOGIN)
    async with store.reading() as tx:
        assert await rows.get_open_chats(tx) == ((OTHER, third),)
        assert await rows.get_run(tx, LOGIN) is None
