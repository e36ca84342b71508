"""Cards of links, asked of a homeserver that may not know them."""

from __future__ import annotations

import pytest

from mautrix_whatsapp_py.ids import MxUri
from mautrix_whatsapp_py.matrix.http import RetryingHttp
from mautrix_whatsapp_py.matrix.link_cards import MAX_PICTURE_BYTES, HttpLinkCards
from mautrix_whatsapp_py.model.content import MxPreviewImage, WaLinkPreview
from tests.unit.matrix_api.conftest import BOT, Answer, ScriptedServer

PREVIEW = "/_matrix/client/v1/media/preview_url"
THUMBNAIL = "/_matrix/client/v1/media/thumbnail/x/pic"
UPLOAD = "/_matrix/media/v3/upload"
LINK = "https://x.y/z"
JPEG = b"\xff\xd8\xff\xc0\x00\x11\x08\x00\x10\x00\x20" + b"\x00" * 20


@pytest.fixture
def cards(http: RetryingHttp) -> HttpLinkCards:
    return HttpLinkCards(http, bot=BOT, is_asking=True)


async def test_a_card_has_what_the_homeserver_knows(server: ScriptedServer, cards: HttpLinkCards) -> None:
    page = {"og:title": "T", "og:description": "D", "og:image": "mxc://x/pic"}
    server.script("GET", PREVIEW, Answer(content=page))
    server.script("GET", THUMBNAIL, Answer(data=JPEG))
    expected = WaLinkPreview(url=LINK, title="T", description="D", thumbnail=JPEG)
    assert await cards.fetch_card(LINK) == expected
    assert server.seen_at(PREVIEW)[0].query == {"url": LINK, "user_id": BOT}


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=404, content={"errcode": "M_UNRECOGNIZED"}),
        Answer(status=502),
        Answer(content={}),
        Answer(content={"og:title": 7, "og:image": "mxc://x/pic"}),
    ],
)
async def test_a_homeserver_without_previews_is_asked_once(
    server: ScriptedServer, cards: HttpLinkCards, answer: Answer
) -> None:
    server.script("GET", PREVIEW, answer)
    assert await cards.fetch_card(LINK) is None
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=404),
        Answer(status=None),
        Answer(data=b"\x89PNG"),
        Answer(data=JPEG + b"\x00" * MAX_PICTURE_BYTES),
    ],
)
async def test_a_card_may_lack_its_picture(server: ScriptedServer, cards: HttpLinkCards, answer: Answer) -> None:
    server.script("GET", PREVIEW, Answer(content={"og:title": "T", "og:image": "mxc://x/pic"}))
    server.script("GET", THUMBNAIL, answer)
    assert await cards.fetch_card(LINK) == WaLinkPreview(url=LINK, title="T")


@pytest.mark.parametrize("uri", ["https://x/pic", "mxc://x", "mxc:///pic", "mxc://x/a/b", ""])
async def test_what_is_no_file_of_a_homeserver_is_not_asked_for(
    server: ScriptedServer, cards: HttpLinkCards, uri: str
) -> None:
    assert await cards.fetch_picture(MxUri(uri)) is None
    assert server.seen == []


async def test_nothing_is_asked_unless_it_is_wanted(server: ScriptedServer, http: RetryingHttp) -> None:
    assert await HttpLinkCards(http, bot=BOT, is_asking=False).fetch_card(LINK) is None
    assert server.seen == []


async def test_a_picture_goes_into_the_store(server: ScriptedServer, cards: HttpLinkCards) -> None:
    server.script("POST", UPLOAD, Answer(content={"content_uri": "mxc://x/up"}))
    assert await cards.bring_picture(JPEG) == MxPreviewImage(
        uri=MxUri("mxc://x/up"), mime_type="image/jpeg", size_bytes=len(JPEG), width=32, height=16
    )
    assert server.seen[0].content == JPEG


async def test_a_card_goes_without_a_picture_that_is_none_or_not_taken(
    server: ScriptedServer, cards: HttpLinkCards
) -> None:
    assert await cards.bring_picture(b"no picture") is None
    assert server.seen == []
    server.script("POST", UPLOAD, Answer(status=413, content={"errcode": "M_TOO_LARGE"}))
    assert await cards.bring_picture(JPEG) is None
