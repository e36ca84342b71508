"""The tables of wishes, and the end of a portal."""

from __future__ import annotations

from mautrix_whatsapp_py.ids import LoginId, MxUserId, PortalKey, WaJid
from mautrix_whatsapp_py.model.filtering import FilterRule
from mautrix_whatsapp_py.model.privacy import Shown
from mautrix_whatsapp_py.store.kv import KvRows
from mautrix_whatsapp_py.store.portal_end import PortalEnd
from mautrix_whatsapp_py.store.portals import PortalRows
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.wishes import EVERYBODY, FilterRows, PrivacyRows

ANN = MxUserId("@ann:localhost")
LOGIN = LoginId("491")


async def test_a_rule_replaces_the_one_about_the_same(store: Store) -> None:
    rows = FilterRows()
    async with store.transaction() as tx:
        await rows.put(tx, ANN, FilterRule(subject="group", is_allowed=False))
        await rows.put(tx, ANN, FilterRule(subject="all", is_allowed=False))
        await rows.put(tx, ANN, FilterRule(subject="group", is_allowed=True))
        await rows.put(tx, EVERYBODY, FilterRule(subject="group", is_allowed=False))
    async with store.transaction() as tx:
        assert await rows.get_all(tx, ANN) == (
            FilterRule(subject="all", is_allowed=False),
            FilterRule(subject="group", is_allowed=True),
        )
        assert await rows.remove(tx, ANN, "group")
        assert not await rows.remove(tx, ANN, "group")
        assert len(await rows.get_all(tx, EVERYBODY)) == 1


async def test_the_end_of_a_portal_takes_everything_with_it(store: Store) -> None:
    portals, end, privacy, facts = PortalRows(), PortalEnd(), PrivacyRows(), KvRows()
    async with store.transaction() as tx:
        kept = await portals.ensure(tx, PortalKey(chat=WaJid(user="1", server="g.us")))
        ended = await portals.ensure(tx, PortalKey(chat=WaJid(user="2", server="g.us")))
        for portal in (kept, ended):
            await privacy.put(tx, LOGIN, portal.id, Shown(receipts=False))
            await facts.put(tx, f"invited:{portal.id}:{ANN}", "1")
        await end.remove(tx, ended.id)
    async with store.reading() as tx:
        assert await portals.get_all(tx) == [kept]
        assert await end.count_waiting(tx, kept.id) == 0
        assert await privacy.get(tx, LOGIN, ended.id) is None
        assert await privacy.get(tx, LOGIN, kept.id) == Shown(receipts=False)
        assert await facts.get(tx, f"invited:{ended.id}:{ANN}") is None
        assert await facts.get(tx, f"invited:{kept.id}:{ANN}") == "1"
