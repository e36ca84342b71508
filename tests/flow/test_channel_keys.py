"""Every key of `channel:` does what the contract says; each test is named after its key."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from mautrix_whatsapp_py.channel.checks import find_problems
from mautrix_whatsapp_py.config.channel import (
    AckGroups,
    AckReaction,
    Activation,
    ChannelActions,
    ChannelSection,
    ChannelWeb,
    ChunkMode,
    DmPolicy,
    DmRule,
    DmRules,
    DmScope,
    GroupPolicy,
    GroupRule,
    GroupRules,
    SessionKeys,
)
from mautrix_whatsapp_py.ids import WaJid
from mautrix_whatsapp_py.model.content import WaContext, WaReaction, WaText
from mautrix_whatsapp_py.store.store import Store
from tests.flow.channel_desk import BEN, CLUB, EVE, LOGIN, OWN_LID, Desk, desk_of, number

pytestmark = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
"""What they store is tested on both dialects elsewhere."""

ANY: dict[str, Any] = {"allow_from": ("*",), "group_policy": GroupPolicy.OPEN}
OpenDesk = Callable[..., AbstractAsyncContextManager[Desk]]


@pytest.fixture
def opened(store: Store, tmp_path: Path) -> OpenDesk:
    return lambda **keys: desk_of(store, tmp_path / "desk", **keys)


def mention(body: str = "hi") -> WaText:
    return WaText(body=body, context=WaContext(mentions=frozenset({OWN_LID})))


def problems_of(**keys: Any) -> tuple[str, ...]:
    return tuple(problem.partition(":")[0] for problem in find_problems(ChannelSection(enabled=True, **keys)))


# Who is heard


async def test_key_allowed_chat_ids(opened: OpenDesk) -> None:
    async with opened(**ANY, allowed_chat_ids=(f"+{BEN}", str(CLUB))) as desk:
        await desk.hear("from ben")
        await desk.hear("from eve", sender=number(EVE))
        await desk.hear(mention("in the club"), chat=CLUB)
        assert len(await desk.texts_read()) == 2
        send = {"target": {"id": f"contact:+{EVE}"}, "message": {"text": "hi"}}
        assert (await desk.operate("send_message", send))[0] == 403
    async with opened(**ANY, allowed_chat_ids=()) as desk:
        await desk.hear("into the void")
        assert len(await desk.texts_read()) == 2


@pytest.mark.parametrize(
    ("policy", "allow_from", "heard", "told"),
    [
        (DmPolicy.PAIRING, (), 0, 1),
        (DmPolicy.PAIRING, (f"+{BEN}",), 1, 0),
        (DmPolicy.ALLOWLIST, (), 0, 0),
        (DmPolicy.OPEN, ("*",), 1, 0),
        (DmPolicy.DISABLED, ("*",), 0, 0),
    ],
)
async def test_key_dm_policy(
    opened: OpenDesk, policy: DmPolicy, allow_from: tuple[str, ...], heard: int, told: int
) -> None:
    async with opened(dm_policy=policy, allow_from=allow_from) as desk:
        await desk.hear("hello")
        assert (len(await desk.texts_read()), len(desk.texts)) == (heard, told)


async def test_key_allow_from_empty_lets_the_account_itself_in(opened: OpenDesk) -> None:
    async with opened(dm_policy=DmPolicy.ALLOWLIST) as desk:
        await desk.hear("note", sender=number(LOGIN), is_from_me=True)
        await desk.hear("hello")
        assert await desk.texts_read() == ["note"]
    assert problems_of(dm_policy=DmPolicy.OPEN) == ("channel.dm_policy",)
    assert problems_of(allow_from=("me",)) == ("channel.allow_from",)


@pytest.mark.parametrize(
    ("policy", "sender", "heard"),
    [(GroupPolicy.OPEN, EVE, 1), (GroupPolicy.ALLOWLIST, EVE, 0), (GroupPolicy.ALLOWLIST, BEN, 1),
     (GroupPolicy.DISABLED, BEN, 0)],
)  # fmt: skip
async def test_key_group_policy(opened: OpenDesk, policy: GroupPolicy, sender: str, heard: int) -> None:
    async with opened(group_policy=policy, allow_from=(f"+{BEN}",)) as desk:
        await desk.hear(mention(), chat=CLUB, sender=number(sender))
        assert len(await desk.texts_read()) == heard


async def test_key_group_allow_from_goes_before_allow_from(opened: OpenDesk) -> None:
    async with opened(allow_from=(f"+{BEN}",), group_allow_from=(f"+{EVE}",)) as desk:
        await desk.hear(mention("from ben"), chat=CLUB)
        await desk.hear(mention("from eve"), chat=CLUB, sender=number(EVE))
        (item,) = await desk.batch()
        assert "from eve" in item["text"]


async def test_key_groups_is_a_list_of_groups_and_their_rules(opened: OpenDesk) -> None:
    other = WaJid(user="12036399", server="g.us")
    groups = GroupRules(MappingProxyType({str(CLUB): GroupRule(require_mention=False)}))
    async with opened(**ANY, groups=groups) as desk:
        await desk.hear("no mention", chat=CLUB)
        await desk.hear(mention(), chat=other)
        assert len(await desk.texts_read()) == 1
    assert problems_of(groups=GroupRules(MappingProxyType({"x": GroupRule()}))) == ("channel.groups",)


async def test_key_mention_patterns(opened: OpenDesk) -> None:
    async with opened(**ANY, mention_patterns=(r"\bhal\b", "(a+)+$")) as desk:
        await desk.hear("Open the doors, HAL", chat=CLUB)
        # One that explodes is given up in time and counts as not found.
        await desk.hear("a" * 5_000 + "!", chat=CLUB)
        assert len(await desk.texts_read()) == 1
    assert problems_of(mention_patterns=("(",)) == ("channel.mention_patterns",)
    assert problems_of(mention_patterns=("x" * 501,)) == ("channel.mention_patterns",)


async def test_key_activation(opened: OpenDesk) -> None:
    async with opened(**ANY, activation=Activation.ALWAYS) as desk:
        await desk.hear("just talking", chat=CLUB)
        assert len(await desk.texts_read()) == 1
        await desk.hear("/activation mention and more", chat=CLUB, sender=number(LOGIN), is_from_me=True)
        await desk.hear("/activation mention", chat=CLUB, sender=number(LOGIN), is_from_me=True)
        await desk.hear("still talking", chat=CLUB)
        assert len(await desk.texts_read()) == 1


async def test_key_self_chat_mode_ignores_mentions_and_marks_nothing_read(opened: OpenDesk) -> None:
    async with opened(**ANY, self_chat_mode=True) as desk:
        await desk.hear("note", sender=number(LOGIN), is_from_me=True)
        await desk.hear(mention(), chat=CLUB)
        for task in tuple(desk.parts.courtesies.tasks):
            await task
        assert await desk.texts_read() == ["note"]
        assert desk.client.marked == []
        await desk.call("POST", "/v1/messages", {"target": f"contact:+{LOGIN}", "text": "noted"})
        assert desk.texts == ["[default] noted"]


async def test_key_config_writes(opened: OpenDesk) -> None:
    async with opened(config_writes=False, allow_from=(f"+{BEN}",)) as desk:
        await desk.hear("let me in", sender=number(EVE))
        await desk.hear("/activation always", chat=CLUB)
        await desk.hear("not heard", chat=CLUB)
        assert (desk.texts, await desk.texts_read()) == ([], [])
        assert (await desk.call("POST", "/v1/pairing/approve", {"code": "ABCDEFGH"}))[0] == 403


# What is read


async def test_key_message_prefix(opened: OpenDesk) -> None:
    async with opened(**ANY, message_prefix="[wa]") as desk:
        await desk.hear("hello")
        assert await desk.texts_read() == ["[wa] hello"]


async def test_key_history_limit(opened: OpenDesk) -> None:
    async with opened(**ANY, history_limit=2) as desk:
        for count in range(4):
            await desk.hear(f"talk {count}", chat=CLUB)
        await desk.hear(mention(), chat=CLUB)
        (text,) = await desk.texts_read()
        assert ("talk 1" in text, "talk 2" in text, "talk 3" in text) == (False, True, True)
    async with opened(**ANY, history_limit=0) as desk:
        await desk.hear("unheard", chat=CLUB)
        await desk.hear(mention("again"), chat=CLUB)
        assert "unheard" not in (await desk.texts_read())[-1]


@pytest.mark.parametrize(
    ("keys", "is_kept"),
    [({}, False), ({"dm_history_limit": 1}, True),
     ({"dm_history_limit": 1, "dms": DmRules(MappingProxyType({f"+{BEN}": DmRule(history_limit=0)}))}, False)],
)  # fmt: skip
async def test_key_dm_history_limit(opened: OpenDesk, keys: dict[str, Any], is_kept: bool) -> None:
    async with opened(**ANY, **keys) as desk:
        await desk.hear("mine", chat=number(BEN), sender=number(LOGIN), is_from_me=True)
        await desk.hear("yours")
        (text,) = await desk.texts_read()
        assert ("mine" in text) is is_kept


async def test_key_dms(opened: OpenDesk) -> None:
    rules = DmRules(MappingProxyType({f"+{BEN}": DmRule(history_limit=1)}))
    async with opened(**ANY, dms=rules) as desk:
        await desk.hear("mine", chat=number(BEN), sender=number(LOGIN), is_from_me=True)
        await desk.hear("yours")
        assert "mine" in (await desk.texts_read())[0]
    assert problems_of(dms=DmRules(MappingProxyType({"ben": DmRule()}))) == ("channel.dms",)


@pytest.mark.parametrize(
    ("scope", "key"), [(DmScope.MAIN, "main"), (DmScope.PER_CONTACT, f"whatsapp:contact:+{BEN}")]
)
async def test_key_session_dm_scope(opened: OpenDesk, scope: DmScope, key: str) -> None:
    async with opened(**ANY, session=SessionKeys(dm_scope=scope)) as desk:
        await desk.hear("hello")
        await desk.hear(mention(), chat=CLUB)
        keys = [item["session"]["session_key"] for item in await desk.batch()]
        assert keys == [key, f"whatsapp:group:{CLUB}"]


async def test_key_debounce_ms(opened: OpenDesk) -> None:
    async with opened(**ANY, debounce_ms=500) as desk:
        for said in ("one", "two"):
            await desk.hear(said)
        assert await desk.batch() == []
        desk.clock.advance(1)
        assert [item["text"] for item in await desk.batch()] == ["one\ntwo"]


async def test_key_media_max_mb(opened: OpenDesk) -> None:
    async with opened(**ANY, media_max_mb=1, outbound_media_max_mb=1) as desk:
        response = await desk.http.post("/v1/uploads", data=io.BytesIO(b"x" * ((1 << 20) + 1)))
        assert response.status == 413
    assert problems_of(media_max_mb=0) == ("channel.media_max_mb",)


@pytest.mark.parametrize("is_wanted", [True, False])
async def test_key_send_read_receipts(opened: OpenDesk, is_wanted: bool) -> None:
    async with opened(**ANY, send_read_receipts=is_wanted) as desk:
        message_id = await desk.hear("hello")
        for task in tuple(desk.parts.courtesies.tasks):
            await task
        assert [mark.message_ids for mark in desk.client.marked] == [(message_id,)] * is_wanted


async def test_key_ack_reaction(opened: OpenDesk) -> None:
    ack = AckReaction(emoji="👀", direct=False, group=AckGroups.ALWAYS)
    async with opened(**ANY, ack_reaction=ack) as desk:
        await desk.hear("hello")
        message_id = await desk.hear(mention(), chat=CLUB)
        for task in tuple(desk.parts.courtesies.tasks):
            await task
        sent = [one.content for one in desk.client.messages if isinstance(one.content, WaReaction)]
        assert [(one.emoji, one.target.message_id) for one in sent] == [("👀", message_id)]


# What is sent


async def test_key_response_prefix(opened: OpenDesk) -> None:
    body = {"target": f"contact:+{LOGIN}", "text": "hi"}
    for prefix, expected in (("[me]", "[me] hi"), ("", "hi"), (None, "[default] hi")):
        async with opened(allow_from=("*", f"+{LOGIN}"), response_prefix=prefix) as desk:
            await desk.call("POST", "/v1/messages", body)
            assert desk.texts == [expected]


async def test_key_text_chunk_limit(opened: OpenDesk) -> None:
    async with opened(**ANY, text_chunk_limit=40) as desk:
        text = " ".join(f"word{count}" for count in range(20))
        await desk.call("POST", "/v1/messages", {"target": f"contact:+{BEN}", "text": text})
        assert " ".join(desk.texts) == text
        assert max(map(len, desk.texts)) <= 40
    assert problems_of(text_chunk_limit=1) == ("channel.text_chunk_limit",)


async def test_key_chunk_mode(opened: OpenDesk) -> None:
    text = "two words\n\nand a long line of many more words that goes on and on"
    for mode, first in (
        (ChunkMode.NEWLINE, "two words"),
        (ChunkMode.LENGTH, "two words\n\nand a long line of many more"),
    ):
        async with opened(**ANY, text_chunk_limit=40, chunk_mode=mode) as desk:
            await desk.call("POST", "/v1/messages", {"target": f"contact:+{BEN}", "text": text})
            assert desk.texts[0] == first


async def test_key_outbound_media_max_mb(opened: OpenDesk) -> None:
    async with opened(**ANY, outbound_media_max_mb=1, media_max_mb=2) as desk:
        async with desk.http.post("/v1/uploads?name=a.pdf", data=io.BytesIO(b"x" * ((1 << 20) + 1))) as response:
            upload = (await response.json())["upload"]
        body = {"target": f"contact:+{BEN}", "media": {"upload": upload}}
        assert (await desk.call("POST", "/v1/messages", body))[0] == 413


async def test_key_actions(opened: OpenDesk) -> None:
    async with opened(**ANY, actions=ChannelActions(reactions=False, polls=False)) as desk:
        message_id = await desk.hear("hello")
        to = {"target": f"contact:+{BEN}"}
        reaction = {**to, "message_id": message_id, "emoji": "👍"}
        assert (await desk.call("POST", "/v1/reactions", reaction))[0] == 403
        assert (await desk.call("POST", "/v1/polls", {**to, "question": "?", "options": ["a", "b"]}))[0] == 403
        assert desk.client.messages == []


async def test_key_media_roots(opened: OpenDesk, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.txt").write_text("a")
    for roots, status in (((str(root),), 200), ((), 403)):
        async with opened(**ANY, media_roots=roots) as desk:
            body = {"target": f"contact:+{BEN}", "media": {"url": (root / "a.txt").as_uri()}}
            assert (await desk.call("POST", "/v1/messages", body))[0] == status


# Accounts


async def test_key_enabled_of_an_account(opened: OpenDesk) -> None:
    async with opened(**ANY, accounts={"a": {}, "b": {"enabled": False}}) as desk:
        _, answer = await desk.call("GET", "/v1/accounts")
        assert [one["id"] for one in answer["accounts"]] == ["a"]


async def test_key_login_names_the_link(opened: OpenDesk) -> None:
    accounts = {"a": {"login": "+15559990000"}, "b": {"login": f"+{LOGIN}"}}
    async with opened(**ANY, accounts=accounts) as desk:
        await desk.hear("hello")
        _, answer = await desk.call("GET", "/v1/accounts")
        assert [(one["id"], one["number"], one["waiting"]) for one in answer["accounts"]] == [
            ("a", "", 0),
            ("b", f"+{LOGIN}", 1),
        ]
    assert problems_of(login="ben") == ("channel.login",)


async def test_key_web_enabled(opened: OpenDesk) -> None:
    async with opened(**ANY, web=ChannelWeb(enabled=False)) as desk:
        await desk.hear("hello")
        assert await desk.texts_read() == []
