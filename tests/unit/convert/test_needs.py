"""What a conversion has to be told first."""

from __future__ import annotations

import pytest

from mautrix_whatsapp_py.convert.needs import MxNeeds, WaNeeds, needs_of_mx, needs_of_wa
from mautrix_whatsapp_py.ids import MxEventId, WaJid, WaMessageId
from mautrix_whatsapp_py.model.content import (
    MxContent,
    MxEdit,
    MxMentions,
    MxMessageContent,
    MxReactionContent,
    MxRedactionContent,
    MxReply,
    MxThread,
    WaContent,
    WaContext,
    WaEdit,
    WaEphemeralTimer,
    WaLinkPreview,
    WaMessageRef,
    WaPreview,
    WaQuote,
    WaReaction,
    WaRevoke,
    WaSilent,
    WaText,
    WaUnsupported,
    WaViewOnceNotice,
)
from mautrix_whatsapp_py.model.wa import WaUndecryptable
from tests.unit.convert.builders import (
    ALICE,
    ALICE_MX,
    BOB,
    BOB_MX,
    CAROL,
    EVENT,
    GROUP,
    REF,
    UNDECRYPTABLE,
    pill,
    replace,
)

QUOTE = WaQuote(
    message_id=WaMessageId("Q"), sender=replace(BOB, device=4), preview=WaPreview(mentions=frozenset({CAROL}))
)
REPLY = WaText(body="x", context=WaContext(mentions=frozenset({replace(ALICE, device=1)}), quote=QUOTE))
PEOPLE = frozenset({ALICE, BOB, CAROL})
ELSEWHERE = replace(
    REPLY, context=replace(REPLY.context, quote=replace(QUOTE, chat=WaJid(user="1", server="g.us")))
)

FROM_WHATSAPP: dict[str, tuple[WaContent | WaUndecryptable, WaNeeds]] = {
    "text": (WaText(body="@12"), WaNeeds()),
    "reply": (
        REPLY,
        WaNeeds(
            people=PEOPLE, reply_to=WaMessageRef(chat=GROUP, message_id=WaMessageId("Q"), sender=QUOTE.sender)
        ),
    ),
    "reply to another chat": (ELSEWHERE, WaNeeds(people=PEOPLE)),
    "edit": (WaEdit(target=REF, content=REPLY), WaNeeds(people=PEOPLE, target=REF)),
    "reaction": (WaReaction(target=REF, emoji="x"), WaNeeds(target=REF)),
    "revoke": (WaRevoke(target=REF), WaNeeds(target=REF, people=frozenset({ALICE}))),
    "preview": (
        WaText(body="x", link_preview=WaLinkPreview(url="https://x", thumbnail=b"j")),
        WaNeeds(preview_thumbnail=b"j"),
    ),
    "undecryptable": (UNDECRYPTABLE, WaNeeds()),
    "silent": (WaSilent(kind="x"), WaNeeds()),
    "view once": (WaViewOnceNotice(), WaNeeds()),
    "unsupported": (WaUnsupported(kind="x"), WaNeeds()),
    "timer": (WaEphemeralTimer(timer_s=1), WaNeeds()),
}


@pytest.mark.parametrize(("content", "needs"), FROM_WHATSAPP.values(), ids=FROM_WHATSAPP.keys())
def test_from_whatsapp(content: WaContent | WaUndecryptable, needs: WaNeeds) -> None:
    assert needs_of_wa(content, GROUP) == needs


FROM_MATRIX: dict[str, tuple[MxContent, MxNeeds]] = {
    "text": (MxMessageContent(body="x"), MxNeeds()),
    "pills": (
        MxMessageContent(body="x", html=pill(ALICE_MX, "A") + pill(BOB_MX, "B")),
        MxNeeds(users=frozenset({ALICE_MX, BOB_MX})),
    ),
    "declared pills": (
        MxMessageContent(body="x", html=pill(ALICE_MX, "A"), mentions=MxMentions(users=frozenset({BOB_MX}))),
        MxNeeds(),
    ),
    "ids": (MxMessageContent(body=f"hi {ALICE_MX}, you"), MxNeeds(users=frozenset({ALICE_MX}))),
    "reply": (MxMessageContent(body="x", relation=MxReply(event_id=EVENT)), MxNeeds(reply_to=EVENT)),
    "thread": (MxMessageContent(body="x", relation=MxThread(root=EVENT, reply_to=EVENT)), MxNeeds()),
    "edit": (MxMessageContent(body="x", relation=MxEdit(event_id=EVENT)), MxNeeds(target=EVENT)),
    "link": (MxMessageContent(body="see (https://x.y/z)."), MxNeeds(preview_url="https://x.y/z")),
    "reaction": (MxReactionContent(event_id=EVENT, key="x"), MxNeeds(target=EVENT)),
    "redaction": (MxRedactionContent(in_content=EVENT), MxNeeds(target=EVENT)),
    "redaction of two": (MxRedactionContent(in_content=EVENT, top_level=MxEventId("$o")), MxNeeds()),
}


@pytest.mark.parametrize(("content", "needs"), FROM_MATRIX.values(), ids=FROM_MATRIX.keys())
def test_from_matrix(content: MxContent, needs: MxNeeds) -> None:
    assert needs_of_mx(content) == needs
