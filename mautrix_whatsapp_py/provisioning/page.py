"""The login page: where users link and unlink their accounts in a browser."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.resources import files
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from mautrix_whatsapp_py.bridge.attempts import Attempt, Attempts
from mautrix_whatsapp_py.bridge.login_links import LoginLinks
from mautrix_whatsapp_py.bridge.logins import Logins
from mautrix_whatsapp_py.convert.link_words import state_words
from mautrix_whatsapp_py.convert.phone import to_international
from mautrix_whatsapp_py.errors import BridgeError, CommandError
from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.model.wa_link import WaQrCode
from mautrix_whatsapp_py.ports import Clock, QrArtist
from mautrix_whatsapp_py.provisioning.failures import of_error
from mautrix_whatsapp_py.provisioning.page_html import (
    Shown,
    ShownLink,
    closed_page,
    door_page,
    stage_of,
    whole_page,
)
from mautrix_whatsapp_py.provisioning.sessions import SESSION_SECONDS, Session, Sessions

log = logging.getLogger(__name__)

COOKIE = "mautrix-whatsapp-login"
HOME = "/login/"
KEEP_ALIVE_SECONDS = 15.0
MAX_FORM_BYTES = 4096
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    # With no-referrer browsers would not tell the origin of our own forms either.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_FILES = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
_NOBODY = "You are not on this page any more."
Serve = Callable[[web.Request, Session], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageDeps:
    """What the page works with."""

    links: LoginLinks
    attempts: Attempts
    logins: Logins
    artist: QrArtist
    clock: Clock
    may_log_in: Callable[[MxUserId], bool]
    address: str
    """Where browsers find us."""

    @property
    def is_secure(self) -> bool:
        """Whether browsers come by https."""
        return self.address.startswith("https:")


class LoginPage:
    """The routes below /login."""

    def __init__(self, deps: PageDeps) -> None:
        self._deps = deps
        self._sessions = Sessions(deps.clock)
        self.app = web.Application(middlewares=[_guarding(deps.address)])
        router = self.app.router
        for name in _FILES:
            router.add_get(f"/{name}", _serve_file)
        router.add_get("/open/{token}", self._knock)
        router.add_post("/open/{token}", self._enter)
        router.add_get("/", self._inside(self._home))
        router.add_get("/events", self._inside(self._events))
        router.add_get(r"/qr/{count:\d+}.png", self._inside(self._qr))
        for path, serve in (
            ("/start", self._start),
            ("/cancel", self._cancel),
            ("/logout", self._logout),
            ("/end", self._end),
        ):
            router.add_post(path, self._inside(serve))

    def _inside(self, serve: Serve) -> Handler:
        """Only for who came by a link."""

        async def handler(request: web.Request) -> web.StreamResponse:
            session = self._sessions.get(request.cookies.get(COOKIE, ""))
            if session is None or not self._deps.may_log_in(session.user):
                return _page(closed_page(_NOBODY), status=403)
            return await serve(request, session)

        return handler

    async def _knock(self, request: web.Request) -> web.Response:
        token = request.match_info["token"]
        if not self._deps.links.is_valid(token):
            return _page(closed_page("This link was used already, or it is too old."), status=403)
        return _page(door_page(token))

    async def _enter(self, request: web.Request) -> web.Response:
        user = self._deps.links.use(request.match_info["token"])
        if user is None:
            return _page(closed_page("This link was used already, or it is too old."), status=403)
        session, response = self._sessions.open(user), _see(HOME)
        response.set_cookie(
            COOKIE,
            session.id,
            max_age=int(SESSION_SECONDS),
            path="/login",
            secure=self._deps.is_secure,
            httponly=True,
            samesite="Strict",
        )
        return response

    async def _home(self, _request: web.Request, session: Session) -> web.Response:
        return _page(whole_page(self._shown(session)))

    async def _start(self, request: web.Request, session: Session) -> web.Response:
        form = await _read_form(request, session)
        phone = form.get("phone", "")
        try:
            attempt = await self._deps.attempts.start(session.user, phone=to_international(phone) if phone else "")
            await attempt.next_step(0)
        except BridgeError as error:
            told = error.text if isinstance(error, CommandError) else of_error(error).text
            return _page(whole_page(self._shown(session, problem=told)), status=400)
        return _see(HOME)

    async def _cancel(self, request: web.Request, session: Session) -> web.Response:
        await _read_form(request, session)
        attempt = self._deps.attempts.get(session.user)
        if attempt is not None and await self._deps.attempts.cancel(session.user):
            await attempt.end()
        return _see(HOME)

    async def _logout(self, request: web.Request, session: Session) -> web.Response:
        wanted = (await _read_form(request, session)).get("login", "")
        for login in self._deps.logins.of_user(session.user):
            if login.id == wanted:
                try:
                    await self._deps.logins.logout(login)
                except BridgeError as error:
                    return _page(whole_page(self._shown(session, problem=of_error(error).text)), status=503)
        return _see(HOME)

    async def _end(self, request: web.Request, session: Session) -> web.Response:
        await _read_form(request, session)
        self._sessions.close(session)
        await self._deps.attempts.cancel(session.user)
        response = _page(closed_page("You have left this page."))
        response.del_cookie(COOKIE, path="/login")
        return response

    async def _qr(self, request: web.Request, session: Session) -> web.Response:
        attempt = self._deps.attempts.get(session.user)
        step = None if attempt is None else attempt.step
        if not isinstance(step, WaQrCode):
            raise web.HTTPNotFound
        drawn = await asyncio.to_thread(self._deps.artist.draw_qr, step.data)
        return web.Response(body=drawn.data, content_type=drawn.mimetype)

    async def _events(self, request: web.Request, session: Session) -> web.StreamResponse:
        attempt = self._deps.attempts.get(session.user)
        if attempt is None:
            # Tells the browser not to ask again.
            return web.Response(status=204)
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        count = 0
        while not attempt.is_over:
            try:
                async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                    count, _ = await attempt.next_step(count)
            except TimeoutError:
                await response.write(b": still here\n\n")
                continue
            await response.write(_event("step", {"html": self._stage(attempt)}))
        await response.write(_event("over", {}))
        return response

    def _shown(self, session: Session, *, problem: str = "") -> Shown:
        attempt = self._deps.attempts.get(session.user)
        logins = self._deps.logins
        return Shown(
            user=session.user,
            form_token=session.form_token,
            step=None if attempt is None else attempt.step,
            count=0 if attempt is None else attempt.count,
            seconds_left=0 if attempt is None else self._seconds_left(attempt),
            problem=problem,
            links=[
                ShownLink(
                    id=login.id,
                    number=login.number,
                    name=login.push_name,
                    state=state_words(logins.state_of(login)),
                )
                for login in logins.of_user(session.user)
            ],
        )

    def _stage(self, attempt: Attempt) -> str:
        return stage_of(attempt.step, count=attempt.count, seconds_left=self._seconds_left(attempt))

    def _seconds_left(self, attempt: Attempt) -> int:
        if not isinstance(attempt.step, WaQrCode):
            return 0
        shown_for = self._deps.clock.monotonic() - attempt.shown_at
        return max(0, int(attempt.step.expires_in_seconds - shown_for))


def _guarding(address: str) -> Middleware:
    """Take forms only from our own page, and give every answer its headers."""
    own_host = urlsplit(address).netloc

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method == "POST" and not _is_own(request, own_host):
            response: web.StreamResponse = _page(closed_page("That form was not sent from this page."), status=403)
        else:
            try:
                response = await handler(request)
            except web.HTTPException as error:
                response = _page(closed_page("There is nothing here."), status=error.status)
        if not response.prepared:
            response.headers.update(HEADERS)
        return response

    return guard


def _is_own(request: web.Request, own_host: str) -> bool:
    """Whether a browser says that a request comes from a page of ours."""
    origin = request.headers.get("Origin")
    if origin is None:
        return request.headers.get("Sec-Fetch-Site", "same-origin") == "same-origin"
    # A proxy in front may pass on its own name or ours.
    return urlsplit(origin).netloc in (request.host, own_host)


async def _read_form(request: web.Request, session: Session) -> dict[str, str]:
    if (request.content_length or 0) > MAX_FORM_BYTES:
        raise web.HTTPRequestEntityTooLarge(MAX_FORM_BYTES, request.content_length or 0)
    fields = await request.post()
    form = {key: value for key, value in fields.items() if isinstance(value, str)}
    if not session.has_sent(form.get("form_token", "")):
        raise web.HTTPForbidden
    return form


async def _serve_file(request: web.Request) -> web.Response:
    name = request.path.rpartition("/")[2]
    text = files(__package__).joinpath("static", name).read_text(encoding="utf-8")
    return web.Response(text=text, content_type=_FILES[name])


def _page(text: str, *, status: int = 200) -> web.Response:
    return web.Response(text=text, content_type="text/html", status=status)


def _see(path: str) -> web.Response:
    return web.Response(status=303, headers={"Location": path})


def _event(name: str, data: dict[str, str]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()
