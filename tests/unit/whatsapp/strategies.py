"""Contents of messages as they may come and go."""

from __future__ import annotations

import string

from hypothesis import strategies as st

from mautrix_whatsapp_py.ids import WaJid, WaMessageId
from mautrix_whatsapp_py.model import content as model
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
        st.builds(model.WaEphemeralTimer, timer_s=st.integers(0, 2**32 - 1), is_automatic=st.booleans()),
    )


SENDABLE = sendable(JIDS, JIDS, JIDS)
CONTENTS: st.SearchStrategy[model.WaContent] = st.one_of(
    SENDABLE,
    st.builds(model.WaViewOnceNotice, kind=st.sampled_from(WaKind)),
    st.builds(model.WaUnsupported, kind=TEXTS),
    st.builds(model.WaSilent, kind=TEXTS),
)
