"""Contents of messages as they may come and go."""

from __future__ import annotations

import string
from datetime import UTC, datetime

from hypothesis import strategies as st

from mautrix_whatsapp_py.ids import WaJid, WaMessageId
from mautrix_whatsapp_py.model import content as model
from mautrix_whatsapp_py.model import rich
from mautrix_whatsapp_py.model.content import WaKind

TEXTS = st.text(max_size=60)
IDS = st.text(string.ascii_uppercase + string.digits, min_size=1, max_size=32).map(WaMessageId)
USERS = st.text(string.digits, min_size=1, max_size=15)
JIDS = st.builds(
    WaJid, user=USERS, server=st.sampled_from(["lid", "s.whatsapp.net", "g.us"]), device=st.integers(0, 99)
)
PERSONS = st.builds(WaJid, user=USERS, server=st.sampled_from(["lid", "s.whatsapp.net"]))
_THUMBNAILS = st.none() | st.binary(min_size=1, max_size=40)
_MENTIONS = st.frozensets(PERSONS, max_size=4)
_WORDS = st.text(min_size=1, max_size=60)
PREVIEWS = st.one_of(
    st.builds(model.WaPreview, kind=st.just(WaKind.TEXT), text=_WORDS, mentions=_MENTIONS),
    st.builds(
        model.WaPreview,
        kind=st.sampled_from([WaKind.IMAGE, WaKind.VIDEO, WaKind.GIF]),
        text=TEXTS,
        thumbnail=_THUMBNAILS,
        mentions=_MENTIONS,
    ),
    st.builds(
        model.WaPreview,
        kind=st.just(WaKind.DOCUMENT),
        text=TEXTS,
        file_name=TEXTS,
        thumbnail=_THUMBNAILS,
        mentions=_MENTIONS,
    ),
    st.builds(model.WaPreview, kind=st.sampled_from([WaKind.AUDIO, WaKind.VOICE]), mentions=_MENTIONS),
    st.builds(model.WaPreview, kind=st.just(WaKind.STICKER), thumbnail=_THUMBNAILS, mentions=_MENTIONS),
    st.builds(model.WaPreview, kind=st.just(WaKind.LOCATION), text=TEXTS, thumbnail=_THUMBNAILS),
    st.builds(model.WaPreview, kind=st.sampled_from([WaKind.CONTACT, WaKind.POLL]), text=TEXTS),
)
"""What survives the way to WhatsApp and back: every kind with what phones show of it."""
QUOTES = st.builds(
    model.WaQuote,
    message_id=IDS,
    sender=PERSONS,
    chat=st.none() | st.builds(WaJid, user=USERS.map(lambda user: f"9{user}"), server=st.just("g.us")),
    preview=st.none() | PREVIEWS,
)
CONTEXTS = st.builds(
    model.WaContext,
    mentions=_MENTIONS,
    mentions_all=st.booleans(),
    is_forwarded=st.booleans(),
    quote=st.none() | QUOTES,
    disappears_after_s=st.none() | st.integers(1, 2**32 - 1),
)
LINKS = st.builds(model.WaLinkPreview, url=_WORDS, title=_WORDS, description=TEXTS, thumbnail=_THUMBNAILS)
WA_TEXTS = st.builds(model.WaText, body=TEXTS, context=CONTEXTS, link_preview=st.none() | LINKS)


def refs(
    chat: st.SearchStrategy[WaJid], sender: st.SearchStrategy[WaJid]
) -> st.SearchStrategy[model.WaMessageRef]:
    return st.builds(model.WaMessageRef, chat=chat, message_id=IDS, sender=sender)


_DEGREES = st.floats(-90, 90)
_CARDS = st.builds(rich.WaVcard, name=TEXTS, text=TEXTS)
_LATER = st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1)).map(  # noqa: DTZ001  made aware below
    lambda at: at.replace(microsecond=0, tzinfo=UTC)
)
RICH_SENDABLE: st.SearchStrategy[model.WaSendable] = st.one_of(
    st.builds(
        rich.WaLocation,
        latitude=_DEGREES,
        longitude=_DEGREES,
        name=TEXTS,
        address=TEXTS,
        url=TEXTS,
        comment=TEXTS,
        context=CONTEXTS,
    ),
    st.builds(
        rich.WaContactCards,
        cards=st.lists(_CARDS, min_size=1, max_size=3).map(tuple),
        title=_WORDS,
        context=CONTEXTS,
    ),
    st.builds(rich.WaContactCards, cards=st.tuples(_CARDS), context=CONTEXTS),
    st.builds(
        rich.WaPoll,
        question=TEXTS,
        options=st.lists(TEXTS, max_size=4).map(tuple),
        selectable=st.integers(0, 12),
        ends_at=st.none() | _LATER,
        is_quiz=st.booleans(),
        context=CONTEXTS,
    ),
)
"""What needs no other message."""


def pins(target: st.SearchStrategy[model.WaMessageRef]) -> st.SearchStrategy[rich.WaPin]:
    """Pins and their ends."""
    return st.one_of(
        st.builds(rich.WaPin, target=target, is_pinned=st.just(True), seconds=st.integers(0, 2**32 - 1)),
        st.builds(rich.WaPin, target=target, is_pinned=st.just(False)),
    )


def sendable(
    chat: st.SearchStrategy[WaJid], own: st.SearchStrategy[WaJid], other: st.SearchStrategy[WaJid]
) -> st.SearchStrategy[model.WaSendable]:
    """What one may send to this chat, about messages of oneself or of others."""
    target = refs(chat, own | other)
    return st.one_of(
        WA_TEXTS,
        st.builds(model.WaEdit, target=refs(chat, own), content=WA_TEXTS),
        st.builds(model.WaRevoke, target=target),
        st.builds(model.WaReaction, target=target, emoji=st.text(max_size=20)),
        RICH_SENDABLE,
        pins(target),
        st.builds(model.WaEphemeralTimer, timer_s=st.integers(0, 2**32 - 1), is_automatic=st.booleans()),
    )


_REFS = refs(JIDS, JIDS)
_BYTES = st.integers(0, 2**31 - 1)
RICH: st.SearchStrategy[model.WaContent] = st.one_of(
    st.builds(rich.WaLiveLocation, latitude=_DEGREES, longitude=_DEGREES, sequence=st.integers(0, 2**62)),
    st.builds(rich.WaPollVote, target=_REFS, options=st.lists(st.binary(min_size=32, max_size=32)).map(tuple)),
    st.builds(
        rich.WaPollResult, question=TEXTS, votes=st.tuples(st.builds(rich.WaTally, option=TEXTS, count=_BYTES))
    ),
    st.builds(rich.WaGroupInvite, group=JIDS, code=TEXTS, name=TEXTS, expires_at=st.none() | _LATER),
    st.builds(rich.WaOccasion, name=TEXTS, starts_at=st.none() | _LATER, ends_at=st.none() | _LATER),
    st.builds(rich.WaOccasionAnswer, target=_REFS, answer=st.sampled_from(rich.WaAnswer), guests=_BYTES),
    st.builds(rich.WaAlbum, images=_BYTES, videos=_BYTES),
    st.builds(rich.WaComment, target=_REFS, body=TEXTS, context=CONTEXTS),
    st.builds(
        rich.WaCard,
        kind=st.sampled_from(rich.WaCardKind),
        title=TEXTS,
        body=TEXTS,
        details=st.lists(TEXTS, max_size=3).map(tuple),
        choices=st.lists(TEXTS, max_size=3).map(tuple),
        amount=st.none() | st.builds(rich.WaAmount, thousandths=st.integers(-(2**53), 2**53), currency=TEXTS),
        at=st.none() | _LATER,
        context=CONTEXTS,
    ),
)
SENDABLE = sendable(JIDS, JIDS, JIDS)
CONTENTS: st.SearchStrategy[model.WaContent] = st.one_of(
    SENDABLE,
    st.builds(model.WaViewOnceNotice, kind=st.sampled_from(WaKind)),
    st.builds(model.WaUnsupported, kind=TEXTS),
    st.builds(model.WaSilent, kind=TEXTS),
    RICH,
)
