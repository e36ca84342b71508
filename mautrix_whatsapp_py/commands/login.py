"""Commands that link and unlink accounts."""

from __future__ import annotations

from mautrix_whatsapp_py.bridge.link_texts import NO_PAGE, NOT_HERE, WEB_LINK
from mautrix_whatsapp_py.bridge.linking import Linking, LinkRequest
from mautrix_whatsapp_py.bridge.login_links import LoginLinks
from mautrix_whatsapp_py.bridge.logins import Logins
from mautrix_whatsapp_py.commands.results import Result, Said
from mautrix_whatsapp_py.commands.spec import Call, Command, CommandSection, UsageError
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.convert.phone import to_international
from mautrix_whatsapp_py.errors import CommandError, WhatsAppError

Answer = Result | tuple[Result, ...]
NOTHING: tuple[Result, ...] = ()
"""What follows is said as it happens."""
_QR = frozenset({"qr"})
_CODE = frozenset({"code", "phone", "pair"})


def login_commands(*, linking: Linking, logins: Logins, links: LoginLinks | None = None) -> tuple[Command, ...]:
    """`login`, `pair`, `relogin`, `logout`, `delete-session`."""
    return (
        _login(linking, links),
        _pair(linking),
        _relogin(linking, logins),
        _logout(logins),
        _delete_session(logins),
    )


def _login(linking: Linking, links: LoginLinks | None) -> Command:
    async def run(call: Call) -> Answer:
        method, *rest = [word.lower() for word in call.args] or ["qr"]
        if method in _QR and not rest:
            return await _start(linking, call, phone="")
        if method in _CODE:
            return await _start(linking, call, phone=to_international(" ".join(rest)))
        if method == "web" and not rest:
            return await _offer_page(linking, links, call)
        raise UsageError("I can show a QR code to scan or a code to type, or send you a link to a page.")

    return Command(
        name="login",
        section=CommandSection.LOGIN,
        summary="Link a WhatsApp account: scan a QR code, type a code on the phone, or do either on a web page.",
        usage="[qr | code <phone number> | web]",
        example="code +14155550001",
        level=PermissionLevel.USER,
        max_args=None,
        run=run,
    )


def _pair(linking: Linking) -> Command:
    async def run(call: Call) -> Answer:
        return await _start(linking, call, phone=to_international(" ".join(call.args)))

    return Command(
        name="pair",
        section=CommandSection.LOGIN,
        summary="Link a WhatsApp account by a code to type; the same as `login code`.",
        usage="<phone number>",
        example="+14155550001",
        level=PermissionLevel.USER,
        min_args=1,
        max_args=None,
        run=run,
    )


def _relogin(linking: Linking, logins: Logins) -> Command:
    async def run(call: Call) -> Answer:
        words = [word for word in call.args if word.lower() not in _QR | _CODE]
        if len(words) > 1:
            raise UsageError("I can link one account at a time.")
        login = await logins.require(call.request.sender, words[0] if words else None)
        if logins.state_of(login).is_usable:
            return Said(text=f"{login.number} is linked and connected; there is nothing to do.")
        is_code = any(word.lower() in _CODE for word in call.args)
        return await _start(linking, call, phone=login.id if is_code else "", is_again=True)

    return Command(
        name="relogin",
        section=CommandSection.LOGIN,
        summary="Link an account again whose link has ended; its chats stay.",
        usage="[login] [qr | code]",
        example="14155550001 code",
        level=PermissionLevel.USER,
        max_args=2,
        run=run,
    )


def _logout(logins: Logins) -> Command:
    async def run(call: Call) -> Answer:
        login = await logins.require(call.request.sender, call.args[0] if call.args else None)
        try:
            was_told = await logins.logout(login)
        except WhatsAppError as error:
            raise CommandError(
                f"{login.number} could not be unlinked just now. Try again in a minute, "
                "or send `delete-session` to forget it here without telling the phone."
            ) from error
        if was_told:
            return Said(text=f"Unlinked {login.number}, here and on the phone. Its credentials are deleted.")
        return Said(
            text=f"Forgot {login.number} and deleted its credentials, but the phone could not be told: "
            "open WhatsApp on it, then Linked devices, and remove this bridge there."
        )

    return Command(
        name="logout",
        section=CommandSection.LOGIN,
        summary="Unlink an account, on the phone too, and delete its credentials.",
        usage="[login]",
        example="14155550001",
        level=PermissionLevel.USER,
        max_args=1,
        run=run,
    )


def _delete_session(logins: Logins) -> Command:
    async def run(call: Call) -> Answer:
        login = await logins.require(call.request.sender, call.args[0] if call.args else None)
        try:
            await logins.delete_session(login)
        except WhatsAppError as error:
            raise CommandError("The session could not be deleted just now. Try again in a minute.") from error
        return Said(
            text=f"Deleted the session of {login.number} without telling the phone: if it still shows this bridge "
            "under Linked devices, remove it there."
        )

    return Command(
        name="delete-session",
        section=CommandSection.LOGIN,
        summary="Forget an account and delete its credentials without telling the phone.",
        usage="[login]",
        example="14155550001",
        level=PermissionLevel.USER,
        max_args=1,
        run=run,
    )


async def _offer_page(linking: Linking, links: LoginLinks | None, call: Call) -> Answer:
    request = call.request
    if links is None:
        raise CommandError(NO_PAGE)
    if not request.is_management:
        raise CommandError(NOT_HERE)
    await linking.require_private(request.room_id, request.sender)
    return Said(text=WEB_LINK.format(url=links.offer(request.sender)))


async def _start(linking: Linking, call: Call, *, phone: str, is_again: bool = False) -> Answer:
    request = call.request
    if not request.is_management:
        raise CommandError(NOT_HERE)
    await linking.start(
        LinkRequest(
            user=request.sender,
            room_id=request.room_id,
            event_id=request.event_id,
            phone=phone,
            is_again=is_again,
        )
    )
    return NOTHING
