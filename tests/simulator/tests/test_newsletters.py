"""Newsletters."""

from __future__ import annotations

from pathlib import Path

import pytest
from neonize.aioze.events import NewsletterJoinEv, NewsletterLeaveEv, NewsletterMuteChangeEv
from neonize.events import NewsletterLiveUpdateEV
from neonize.utils.jid import build_jid

from tests.simulator import newsletters
from tests.simulator.api import kinds
from tests.simulator.tests.clients import alice_and_bob

pytestmark = pytest.mark.neonize


async def test_subscribing_reading_reacting_and_leaving(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        api, world = x.client.api, x.wa.world
        news = newsletters.create_newsletter(world, x.bob, "News", "All of it")
        jid = build_jid(news.jid.user, "newsletter")
        old = newsletters.publish_post(world, news, kinds.text("old"))
        info = await api.get_newsletter_info(jid)
        assert info.ThreadMeta.Name.Text == "News"
        assert (await api.get_newsletter_info_with_invite(news.invite)).ID.User == news.jid.user
        await api.follow_newsletter(jid)
        assert (await x.client.wait(NewsletterJoinEv)).NewsletterMetadata.ID.User == news.jid.user
        assert [n.ID.User for n in await api.get_subscribed_newletters()] == [news.jid.user]
        listed = await api.get_newsletter_messages(jid, 10, 0)
        assert [(m.MessageServerID, m.Message.conversation) for m in listed] == [(old.server_id, "old")]
        fresh = newsletters.publish_post(world, news, kinds.text("fresh"))
        event = await x.client.message()
        assert (event.Info.ServerID, event.Message.conversation) == (fresh.server_id, "fresh")
        await api.newsletter_subscribe_live_updates(jid)
        await api.newsletter_send_reaction(jid, fresh.server_id, "👍", "REACTION1")
        update = await x.client.wait(NewsletterLiveUpdateEV)
        assert update.Messages[0].ReactionCounts[0].count == 1
        assert fresh.reactions == {"👍": 1}
        await api.newsletter_toggle_mute(jid, True)
        await x.client.wait(NewsletterMuteChangeEv)
        assert news.muted == {x.alice}
        await api.unfollow_newsletter(jid)
        await x.client.wait(NewsletterLeaveEv)
        assert x.alice not in news.subscribers


async def test_owner_posts_and_others_may_not(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        mine = await x.client.api.create_newsletter("Mine", "", b"\xff\xd8")
        response = await x.client.api.send_message(build_jid(mine.ID.User, "newsletter"), "first post")
        news = x.wa.world.newsletters[mine.ID.User]
        assert news.posts[0].server_id == response.ServerID
        theirs = newsletters.create_newsletter(x.wa.world, x.bob, "Theirs")
        with pytest.raises(Exception, match="403"):
            await x.client.api.send_message(build_jid(theirs.jid.user, "newsletter"), "not mine")


async def test_unknown_newsletter_is_not_found(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        with pytest.raises(Exception, match="404"):
            await x.client.api.get_newsletter_info(build_jid("120363000", "newsletter"))
