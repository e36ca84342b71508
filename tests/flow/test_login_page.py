"""The login page without a browser: who gets in, what the forms do, what is told as it happens."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from html import unescape

import pytest
from aiohttp import ClientResponse, CookieJar, web
from aiohttp.test_utils import TestClient, TestServer

from mautrix_whatsapp_py.bridge.login_links import LINK_SECONDS, PATH, LoginLinks
from mautrix_whatsapp_py.errors import WhatsAppUnavailable
from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.matrix.answers import answer_errors
from mautrix_whatsapp_py.model.picture import Picture
from mautrix_whatsapp_py.model.wa_link import WaPairingFailed, WaPairingFailure, WaPhoneCode
from mautrix_whatsapp_py.provisioning.page import LoginPage, PageDeps
from mautrix_whatsapp_py.provisioning.sessions import SESSION_SECONDS
from tests.fakes.whatsapp import FakePairing, device_of
from tests.flow.attempts import NUMBER, OTHER, link, qr
from tests.flow.world import ALICE, BOB, World

_TOKEN = re.compile(r'name="form_token" value="([^"]+)"')
ADDRESS = "https://bridge.example.com"

pytestmark = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
"""What the page stores is tested on both dialects with the API."""


class _Artist:
    def draw_qr(self, text: str) -> Picture:
        return Picture(data=text.encode(), mimetype="image/png", filename="qr.png", width=1, height=1)


class Browser:
    """Alice's, with the cookies it was given."""

    def __init__(self, world: World, client: TestClient[web.Request, web.Application], links: LoginLinks) -> None:
        self.world = world
        self.client = client
        self.links = links
        self.allowed = {ALICE, BOB}

    async def get(self, path: str = "/") -> tuple[int, str]:
        async with self.client.get(f"{PATH}{path}") as response:
            check_headers(response)
            return response.status, unescape(await response.text())

    async def post(self, path: str, *, origin: str | None = ADDRESS, **fields: str) -> tuple[int, str]:
        headers = {} if origin is None else {"Origin": origin}
        async with self.client.post(f"{PATH}{path}", data=fields, headers=headers) as response:
            check_headers(response)
            return response.status, unescape(await response.text())

    async def fill(self, path: str, **fields: str) -> tuple[int, str]:
        """Send a form of the page."""
        _, text = await self.get()
        found = _TOKEN.search(text)
        assert found is not None, text
        return await self.post(path, form_token=found[1], **fields)

    async def enter(self, user: MxUserId = ALICE) -> None:
        """Come by a link."""
        status, text = await self.post(path_of(self.links.offer(user)))
        assert (status, "Link an account" in text) == (200, True)


def path_of(link_url: str) -> str:
    assert link_url.startswith(f"{ADDRESS}{PATH}/open/")
    return link_url.removeprefix(f"{ADDRESS}{PATH}")


def check_headers(response: ClientResponse) -> None:
    """Every answer forbids what is not ours."""
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Referrer-Policy"] == "same-origin"


@pytest.fixture
async def browser(world: World) -> AsyncIterator[Browser]:
    links = LoginLinks(address=ADDRESS, clock=world.clock)
    root = web.Application(middlewares=[answer_errors])
    # A cookie that is marked as secure would not come back over the plain connection of the test.
    jar = CookieJar(unsafe=True, treat_as_secure_origin=[])
    browser: list[Browser] = []
    deps = PageDeps(
        links=links,
        attempts=world.attempts,
        logins=world.logins,
        artist=_Artist(),
        clock=world.clock,
        may_log_in=lambda user: user in browser[0].allowed,
        address=ADDRESS.replace("https", "http"),
    )
    root.add_subapp(PATH, LoginPage(deps).app)
    async with TestClient(TestServer(root), cookie_jar=jar) as client:
        browser.append(Browser(world, client, links))
        yield browser[0]
        await world.attempts.stop()


async def start_qr(browser: Browser, code: str = "code1") -> FakePairing:
    """Ask for a QR code and have it shown."""
    start = browser.world.network.start_pairing

    async def start_with_code(phone: str = "") -> FakePairing:
        pairing = await start(phone)
        pairing.give(WaPhoneCode(code="ABCD-EFGH") if phone else qr(code))
        return pairing

    browser.world.network.start_pairing = start_with_code  # type: ignore[method-assign]
    status, _ = await browser.fill("/start")
    assert status == 200
    return browser.world.network.pairings[-1]


async def test_a_link_opens_the_page_once(browser: Browser) -> None:
    path = path_of(browser.links.offer(ALICE))
    assert (await browser.get())[0] == 403
    for _ in range(2):
        status, text = await browser.get(path)
        assert (status, "Continue" in text) == (200, True)
    status, text = await browser.post(path)
    assert (status, "@alice:localhost" in text) == (200, True)
    assert (await browser.post(path))[0] == 403
    assert (await browser.get(path))[0] == 403


async def test_links_that_open_nothing(browser: Browser) -> None:
    old, new = browser.links.offer(ALICE), browser.links.offer(ALICE)
    assert (await browser.post(path_of(old)))[0] == 403
    browser.world.clock.advance(LINK_SECONDS)
    status, text = await browser.post(path_of(new))
    assert (status, "too old" in text) == (403, True)
    assert (await browser.get("/open/nothing"))[0] == 403


async def test_a_qr_code_that_is_renewed_and_scanned(browser: Browser) -> None:
    await browser.enter()
    pairing = await start_qr(browser)
    _, text = await browser.get()
    assert 'src="/login/qr/1.png"' in text
    assert "/login/page.js" in text
    assert (await browser.get("/qr/1.png"))[1] == "code1"
    async with browser.client.get(f"{PATH}/events") as events:
        assert events.headers["Content-Type"] == "text/event-stream"
        assert "qr/1.png" in await next_html(events)
        pairing.give(qr("code2"))
        assert "qr/2.png" in await next_html(events)
        pairing.give(browser.world.network.link(device_of(NUMBER)))
        assert f"+{NUMBER} is linked" in await next_html(events)
        assert (await events.content.readuntil(b"\n\n")).startswith(b"event: over")
    _, text = await browser.get()
    assert f"+{NUMBER} is linked." in text
    assert "/login/page.js" not in text
    assert (await browser.get("/qr/2.png"))[0] == 404
    assert [login.id for login in browser.world.logins.of_user(ALICE)] == [NUMBER]


async def next_html(events: ClientResponse) -> str:
    """What the page shows next."""
    event = (await events.content.readuntil(b"\n\n")).decode()
    name, data = event.strip().split("\n")
    assert name == "event: step"
    html: str = json.loads(data.removeprefix("data: "))["html"]
    return html


async def test_a_code_to_type_and_numbers_that_cannot_be(browser: Browser) -> None:
    await browser.enter()
    status, text = await browser.fill("/start", phone="12")
    assert (status, "too short" in text) == (400, True)
    pairing = await start_qr(browser)
    await browser.fill("/start", phone="+1 415 555 0001")
    assert pairing.is_cancelled
    assert browser.world.network.pairings[-1].phone == NUMBER
    assert "ABCD-EFGH" in (await browser.get())[1]


async def test_attempts_that_come_to_nothing(browser: Browser) -> None:
    await browser.enter()
    pairing = await start_qr(browser)
    pairing.give(WaPairingFailed(reason=WaPairingFailure.TIMEOUT))
    await browser.world.until(lambda: bool((at := browser.world.attempts.get(ALICE)) and at.is_over))
    assert "timed out" in (await browser.get())[1]
    await start_qr(browser)
    status, text = await browser.fill("/cancel")
    assert (status, "was cancelled" in text) == (200, True)
    browser.world.network.errors.append(WhatsAppUnavailable(code="not-connected"))
    status, text = await browser.fill("/start")
    assert (status, "WhatsApp could not be reached." in text) == (400, True)
    assert (await browser.get("/nothing"))[0] == 404


async def test_accounts_of_the_user_and_of_nobody_else(browser: Browser) -> None:
    world = browser.world
    await world.open_dm()
    await link(world)
    world.network.link(device_of(OTHER))
    await world.logins.add(BOB, device_of(OTHER, name="<b>Bob</b>"))
    await browser.enter()
    _, text = await browser.get()
    assert f"+{NUMBER}" in text
    assert OTHER not in text
    await browser.fill("/logout", login=OTHER)
    assert world.network.logged_out == []
    await browser.fill("/logout", login=NUMBER)
    assert world.network.logged_out == [NUMBER]
    await browser.enter(BOB)
    async with browser.client.get(f"{PATH}/") as response:
        assert "&lt;b&gt;Bob&lt;/b&gt;" in await response.text()


async def test_forms_of_other_pages_are_refused(browser: Browser) -> None:
    await browser.enter()
    for origin in ("https://evil.example.com", "null"):
        assert (await browser.post("/start", origin=origin))[0] == 403
    for token in ("", "wrong", "ü"):
        assert (await browser.post("/start", form_token=token))[0] == 403
    assert (await browser.post("/start", form_token="x" * 5000))[0] == 413
    assert (await browser.post("/start", origin=None))[0] == 403
    assert browser.world.network.pairings == []


async def test_ways_out(browser: Browser) -> None:
    await browser.enter()
    pairing = await start_qr(browser)
    status, text = await browser.fill("/end")
    assert (status, "You have left this page." in text) == (200, True)
    assert pairing.is_cancelled
    assert (await browser.get())[0] == 403
    await browser.enter()
    browser.allowed.clear()
    assert (await browser.get())[0] == 403
    browser.allowed.add(ALICE)
    browser.world.clock.advance(SESSION_SECONDS)
    assert (await browser.get())[0] == 403


async def test_without_an_attempt_there_is_nothing_to_follow(browser: Browser) -> None:
    await browser.enter()
    async with browser.client.get(f"{PATH}/events") as response:
        assert response.status == 204
    for name in ("page.css", "page.js", "icon.svg"):
        assert (await browser.get(f"/{name}"))[0] == 200


async def test_a_cookie_that_other_sites_cannot_use(browser: Browser) -> None:
    async with browser.client.post(
        f"{PATH}{path_of(browser.links.offer(ALICE))}", headers={"Origin": ADDRESS}, allow_redirects=False
    ) as response:
        assert response.status == 303
        cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Path=/login" in cookie


async def test_the_bot_gives_out_links_where_nobody_reads_along(world: World) -> None:
    await world.open_dm()
    await world.say("login web")
    said = await world.heard("Open this in your browser")
    assert "http://bridge.test/login/open/" in said
