"""Messages as nobody would write them, and formatted texts as somebody might."""

from __future__ import annotations

from datetime import UTC

from hypothesis import strategies as st

from mautrix_whatsapp_py.convert.context import OwnReaction, Quoted
from mautrix_whatsapp_py.ids import MxEventId, WaMessageId
from mautrix_whatsapp_py.model import content as model
from mautrix_whatsapp_py.model import rich
from mautrix_whatsapp_py.model.polls import MxPollOption
from tests.unit.convert.builders import ALICE, ALICE_MX, BOB, BOB_MX, CAROL, GROUP, REF

LOOSE = st.text(st.characters(exclude_categories=()), max_size=40)
_WA_TOKENS = [
    "*",
    "_",
    "~",
    "`",
    "```",
    "\n",
    " ",
    "> ",
    "* ",
    "- ",
    "1. ",
    "  ",
    "@12",
    "@123",
    "a",
    "b.",
    "ש",
    "😀",
]
WA_MARKUP = st.lists(
    st.sampled_from([*_WA_TOKENS, "https://x.y/_z_", "<", "&", "\u202e"]) | LOOSE, max_size=40
).map("".join)
_NAMES = [
    "a",
    "b",
    "blockquote",
    "br",
    "code",
    "del",
    "details",
    "em",
    "h1",
    "hr",
    "i",
    "img",
    "li",
    "mx-reply",
    "ol",
    "p",
    "pre",
    "script",
    "span",
    "table",
    "td",
    "tr",
    "u",
    "ul",
]
_TAG = st.tuples(
    st.sampled_from(["<", "</", "<", "</", "<!", "<?"]),
    st.sampled_from([*_NAMES, "", "!--", "[CDATA["]),
    st.sampled_from(
        ["", ' href="https://x.y"', ' href="https://matrix.to/#/@whatsapp_12:hs"', " start=3", ' alt="', " ="]
    ),
    st.sampled_from([">", ">", ">", "/>", "", "-->"]),
).map("".join)
HTML = st.lists(_TAG | WA_MARKUP | st.sampled_from(["&lt;", "&#0;", "&", "&#x110000;"]), max_size=40).map("".join)

JIDS = st.sampled_from([ALICE, BOB, CAROL, GROUP])
PREVIEWS = st.builds(
    model.WaPreview,
    kind=st.sampled_from(model.WaKind),
    text=WA_MARKUP,
    file_name=LOOSE,
    mentions=st.frozensets(JIDS),
)
QUOTES = st.builds(
    model.WaQuote,
    message_id=st.just(WaMessageId("Q")),
    sender=JIDS,
    chat=st.none() | JIDS,
    preview=st.none() | PREVIEWS,
)
WA_CONTEXTS = st.builds(
    model.WaContext,
    mentions=st.frozensets(JIDS),
    mentions_all=st.booleans(),
    is_forwarded=st.booleans(),
    quote=st.none() | QUOTES,
)
WA_TEXTS = st.builds(
    model.WaText,
    body=WA_MARKUP,
    context=WA_CONTEXTS,
    link_preview=st.none() | st.builds(model.WaLinkPreview, url=LOOSE, title=LOOSE),
)
_LINES = st.lists(LOOSE | WA_MARKUP, max_size=3).map(tuple)
_TIMES = st.none() | st.datetimes(timezones=st.just(UTC))
_DEGREES = st.floats(allow_nan=False, allow_infinity=False, min_value=-180, max_value=180)
WA_RICH: st.SearchStrategy[model.WaContent] = st.one_of(
    st.builds(
        rich.WaLocation, latitude=_DEGREES, longitude=_DEGREES, name=LOOSE, address=LOOSE, context=WA_CONTEXTS
    ),
    st.builds(rich.WaLiveLocation, latitude=_DEGREES, longitude=_DEGREES, caption=WA_MARKUP, context=WA_CONTEXTS),
    st.builds(
        rich.WaContactCards,
        cards=st.lists(st.builds(rich.WaVcard, name=LOOSE, text=LOOSE), max_size=3).map(tuple),
        title=LOOSE,
        context=WA_CONTEXTS,
    ),
    st.builds(
        rich.WaPoll,
        question=LOOSE,
        options=_LINES,
        selectable=st.integers(0, 30),
        ends_at=_TIMES,
        is_quiz=st.booleans(),
        context=WA_CONTEXTS,
    ),
    st.builds(rich.WaPollVote, target=st.just(REF), options=st.lists(st.binary(max_size=40)).map(tuple)),
    st.builds(
        rich.WaPollResult,
        question=LOOSE,
        votes=st.tuples(st.builds(rich.WaTally, option=LOOSE, count=st.integers())),
    ),
    st.builds(
        rich.WaGroupInvite, group=st.just(GROUP), code=LOOSE, name=LOOSE, caption=WA_MARKUP, expires_at=_TIMES
    ),
    st.builds(rich.WaOccasion, name=LOOSE, description=WA_MARKUP, starts_at=_TIMES, place=LOOSE, join_link=LOOSE),
    st.builds(
        rich.WaOccasionAnswer,
        target=st.just(REF),
        answer=st.sampled_from(rich.WaAnswer),
        guests=st.integers(0, 2**31),
    ),
    st.builds(rich.WaPin, target=st.just(REF), is_pinned=st.booleans()),
    st.builds(rich.WaAlbum, images=st.integers(0, 99), videos=st.integers(0, 99)),
    st.builds(rich.WaComment, target=st.just(REF), body=WA_MARKUP, context=WA_CONTEXTS),
    st.builds(
        rich.WaCard,
        kind=st.sampled_from(rich.WaCardKind),
        title=LOOSE,
        body=WA_MARKUP,
        footer=LOOSE,
        details=_LINES,
        choices=_LINES,
        amount=st.none() | st.builds(rich.WaAmount, thousandths=st.integers(), currency=LOOSE),
        at=_TIMES,
        link=LOOSE,
        context=WA_CONTEXTS,
    ),
)
WA_CONTENTS: st.SearchStrategy[model.WaContent] = st.one_of(
    WA_TEXTS,
    st.builds(model.WaEdit, target=st.just(REF), content=WA_TEXTS),
    st.builds(model.WaRevoke, target=st.just(REF)),
    st.builds(model.WaReaction, target=st.just(REF), emoji=LOOSE),
    st.builds(model.WaSilent, kind=LOOSE),
    st.builds(model.WaViewOnceNotice, kind=st.sampled_from(model.WaKind)),
    st.builds(model.WaUnsupported, kind=LOOSE),
    st.builds(model.WaEphemeralTimer, timer_s=st.integers(), is_automatic=st.booleans()),
    WA_RICH,
)
EVENTS = st.sampled_from([MxEventId("$1"), MxEventId("$2")])
OWN_REACTIONS = st.none() | st.builds(OwnReaction, event_id=EVENTS, key=LOOSE)
RELATIONS = st.one_of(
    st.none(),
    st.builds(model.MxReply, event_id=EVENTS),
    st.builds(model.MxThread, root=EVENTS, reply_to=st.none() | EVENTS, is_falling_back=st.booleans()),
    st.builds(model.MxEdit, event_id=EVENTS),
)
MX_MESSAGES = st.builds(
    model.MxMessageContent,
    msgtype=st.sampled_from(model.MxMsgType),
    body=WA_MARKUP,
    html=st.none() | HTML,
    mentions=st.none() | st.builds(model.MxMentions, users=st.frozensets(st.sampled_from([ALICE_MX, BOB_MX]))),
    relation=RELATIONS,
    flags=st.frozensets(st.sampled_from(model.MxFlag)),
    link_previews=st.lists(st.builds(model.MxLinkPreview, matched_url=LOOSE), max_size=2).map(tuple),
    file_name=st.none() | LOOSE,
)
MX_CONTENTS: st.SearchStrategy[model.MxContent] = st.one_of(
    MX_MESSAGES,
    st.builds(model.MxReactionContent, event_id=EVENTS, key=LOOSE),
    st.builds(model.MxRedactionContent, top_level=st.none() | EVENTS, in_content=st.none() | EVENTS),
    st.builds(
        model.MxPollStart,
        question=LOOSE,
        options=st.lists(st.builds(MxPollOption, id=LOOSE, text=LOOSE), max_size=14).map(tuple),
        max_selections=st.integers(0, 20),
        is_hidden=st.booleans(),
    ),
    st.builds(model.MxPollVote, poll=EVENTS, options=st.lists(LOOSE, max_size=4).map(tuple)),
    st.builds(model.MxPollEnd, poll=EVENTS),
)
QUOTED = st.none() | st.builds(Quoted, ref=st.just(REF), sender=JIDS, content=st.none() | MX_MESSAGES)

# Formatting WhatsApp knows, where it knows it: words in marks, parted by blanks.
_WORDS = st.lists(
    st.sampled_from(["a", "bc", "x1", "ש", "é", "😀", "1 &lt; 2", "don't."]), min_size=1, max_size=3
).map(" ".join)
_ELEMENTS = ("strong", "em", "del")


def _inline(depth: int, free: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Words and marks; no mark within itself, and blanks between neighbours."""
    leaf = _WORDS | st.sampled_from(["x", "*y*", "a b"]).map("<code>{}</code>".format)
    if not depth or not free:
        return leaf
    marked = st.sampled_from(free).flatmap(
        lambda name: _inline(depth - 1, tuple(other for other in free if other != name)).map(
            lambda inner: f"<{name}>{inner}</{name}>"
        )
    )
    return st.lists(leaf | marked, min_size=1, max_size=3).map(" ".join)


INLINE = _inline(3, _ELEMENTS)
_LINES = st.lists(INLINE, min_size=1, max_size=3).map("<br>".join)


def _list(depth: int) -> st.SearchStrategy[str]:
    nested = _list(depth - 1) | st.just("") if depth else st.just("")
    items = st.lists(st.tuples(INLINE, nested), min_size=1, max_size=3).map(
        lambda pairs: "".join(f"<li>{text}{inner}</li>" for text, inner in pairs)
    )
    starts = st.sampled_from(["<ol>{}</ol>", '<ol start="7">{}</ol>', "<ul>{}</ul>"])
    return st.tuples(starts, items).map(lambda pair: pair[0].format(pair[1]))


_FENCE = st.sampled_from(["a\nb", "one", "  *x*\n\n_y"]).map("<pre><code>{}</code></pre>".format)


def _blocks(depth: int) -> st.SearchStrategy[str]:
    """Blocks with a text between any two, as a list next to a list is one list."""
    quote = _blocks(depth - 1).map("<blockquote>{}</blockquote>".format) if depth else st.nothing()
    fence = _FENCE if depth == 2 else st.nothing()
    block = _list(2) | quote | fence
    pairs = st.lists(st.tuples(block, _LINES), max_size=2)
    return st.tuples(_LINES, pairs).map(lambda both: both[0] + "".join(block + lines for block, lines in both[1]))


FORMATTED = _blocks(2)
