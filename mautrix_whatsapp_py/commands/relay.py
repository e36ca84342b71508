"""Commands about accounts that speak for people without one."""

from __future__ import annotations

from mautrix_whatsapp_py.bridge.from_matrix.chooser import choose_login, is_in_chat
from mautrix_whatsapp_py.bridge.relays import Relays
from mautrix_whatsapp_py.commands.chat_deps import ChatDeps, require_portal
from mautrix_whatsapp_py.commands.results import Said
from mautrix_whatsapp_py.commands.spec import Call, Command, CommandSection
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.errors import CommandError
from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.portal import Portal

OFF = "Relaying is switched off. The person who runs the bridge can switch it on: `bridge.relay.enabled`."
SET = (
    "From now on what people without a WhatsApp account write here is sent by +{number}, with their name before "
    "it. Everybody on WhatsApp sees it as coming from that account."
)


def relay_commands(deps: ChatDeps) -> tuple[Command, ...]:
    """`set-relay`, `unset-relay`."""
    return (_set(deps), _unset(deps))


def _set(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Said:
        relays = _require(deps)
        portal = await require_portal(deps, call)
        login = await _choose(deps, relays, call, portal)
        await _check(deps, relays, call, portal, login)
        await relays.set(portal.id, login)
        return Said(text=SET.format(number=login.id))

    return Command(
        name="set-relay",
        section=CommandSection.CHATS,
        summary="Have a WhatsApp account send what people without one write in this room.",
        usage="[phone number of the account]",
        example="+15550001111",
        max_args=1,
        run=run,
    )


def _unset(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Said:
        relays = _require(deps)
        portal = await require_portal(deps, call)
        login = await relays.get(portal)
        if login is None:
            return Said(text="No account speaks for others in this room.")
        if login.user != call.request.sender and not _is_free(relays, call, login):
            raise CommandError("Only its owner and admins of the bridge may do that.")
        await relays.set(portal.id, None)
        return Said(text="What people without a WhatsApp account write here is not sent any more.")

    return Command(
        name="unset-relay",
        section=CommandSection.CHATS,
        summary="End that an account sends what others write in this room.",
        run=run,
    )


def _require(deps: ChatDeps) -> Relays:
    relays = deps.talk.relays
    if relays is None:
        raise CommandError(OFF)
    return relays


async def _choose(deps: ChatDeps, relays: Relays, call: Call, portal: Portal) -> Login:
    """The account that is meant: the one named, else one of the configuration or the caller's own."""
    if call.args:
        named = deps.talk.logins.get(LoginId("".join(one for one in call.args[0] if one.isdigit())))
        if named is None or not (named.user == call.request.sender or _is_free(relays, call, named)):
            raise CommandError("You have no such account. Send `list-logins` to see yours.")
        return named
    own = await choose_login(call.request.sender, portal, deps.talk)
    usual = [login for one in relays.settings.default_relays if (login := deps.talk.logins.get(one)) is not None]
    fitting = [login for login in usual if portal.key.receiver in (None, login.id)]
    first = next(iter(fitting), None)
    login = (first or own) if relays.settings.prefers_default else (own or first)
    if login is None:
        raise CommandError("You have no WhatsApp account in this chat that could speak for others.")
    return login


async def _check(deps: ChatDeps, relays: Relays, call: Call, portal: Portal, login: Login) -> None:
    """CommandError where an account is not to speak for others here."""
    if portal.key.receiver not in (None, login.id):
        raise CommandError("This chat belongs to another WhatsApp account.")
    if not await is_in_chat(login, portal, deps.talk):
        raise CommandError(f"{login.number} is not in this group.")
    if relays.settings.is_admin_only and not _is_free(relays, call, login):
        raise CommandError("Only admins of the bridge may do that with this account.")
    if login.user not in await deps.matrix.fetch_members(call.request.room_id):
        raise CommandError("The owner of that account is not in this room.")


def _is_free(relays: Relays, call: Call, login: Login) -> bool:
    """Whether an account may be used by somebody who does not own it."""
    return call.request.level >= PermissionLevel.ADMIN or login.id in relays.settings.default_relays
