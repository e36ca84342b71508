"""Commands about accounts that are linked."""

from __future__ import annotations

from mautrix_whatsapp_py.bridge.logins import Logins
from mautrix_whatsapp_py.commands.results import Result, Said, Table
from mautrix_whatsapp_py.commands.spec import Call, Command, CommandSection
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.convert.link_words import state_words
from mautrix_whatsapp_py.errors import CommandError, WhatsAppError
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.ports import Clock, WhatsAppNetwork


def link_commands(*, logins: Logins, network: WhatsAppNetwork, clock: Clock) -> tuple[Command, ...]:
    """`list-logins`, `ping`, `reconnect`, `disconnect`, `set-preferred-login`."""
    return (
        _list_logins(logins),
        _ping(logins, network, clock),
        _reconnect(logins, network),
        _disconnect(logins, network),
        _set_preferred(logins),
    )


async def _require(logins: Logins, call: Call) -> Login:
    return await logins.require(call.request.sender, call.args[0] if call.args else None)


def _list_logins(logins: Logins) -> Command:
    async def run(call: Call) -> Result:
        rows = tuple(
            (login.number, login.push_name or "-", state_words(logins.state_of(login)))
            for login in logins.of_user(call.request.sender)
        )
        empty = "You have no WhatsApp account linked. Send `login` to link one."
        return Table(header=("Login", "Name", "State"), rows=rows, if_empty=empty)

    return Command(
        name="list-logins",
        section=CommandSection.LOGIN,
        summary="Show the accounts you have linked and how they are doing.",
        level=PermissionLevel.USER,
        run=run,
    )


def _ping(logins: Logins, network: WhatsAppNetwork, clock: Clock) -> Command:
    async def run(call: Call) -> Result:
        login = await _require(logins, call)
        state, client = logins.state_of(login), network.get_client(login.id)
        if client is None or not state.is_usable:
            return Said(text=f"{login.number} is not connected: {state_words(state)}.")
        started = clock.monotonic()
        try:
            await client.fetch_stats()
        except WhatsAppError:
            return Said(text=f"{login.number} does not answer. Send `reconnect` to start it anew.")
        took_ms = (clock.monotonic() - started) * 1000
        return Said(text=f"{login.number} is connected; its session answered in {took_ms:.0f} ms.")

    return Command(
        name="ping",
        section=CommandSection.LOGIN,
        summary="Ask whether a link is up.",
        usage="[login]",
        example="14155550001",
        level=PermissionLevel.USER,
        max_args=1,
        run=run,
    )


def _reconnect(logins: Logins, network: WhatsAppNetwork) -> Command:
    async def run(call: Call) -> Result:
        login = await _require(logins, call)
        state = logins.state_of(login)
        if state.needs_login:
            return Said(text=f"{login.number} has to be linked again before it can connect: send `relogin`.")
        try:
            await network.connect(login.id)
        except WhatsAppError as error:
            raise CommandError(f"{login.number} cannot be connected just now. Try again in a minute.") from error
        return Said(text=f"Connecting {login.number} anew. Send `ping` in a moment to see whether it is up.")

    return Command(
        name="reconnect",
        section=CommandSection.LOGIN,
        summary="Connect a link, or start a connected one anew.",
        usage="[login]",
        example="14155550001",
        level=PermissionLevel.USER,
        max_args=1,
        run=run,
    )


def _disconnect(logins: Logins, network: WhatsAppNetwork) -> Command:
    async def run(call: Call) -> Result:
        login = await _require(logins, call)
        try:
            await network.disconnect(login.id)
        except WhatsAppError as error:
            raise CommandError(
                f"{login.number} cannot be disconnected just now. Try again in a minute."
            ) from error
        return Said(
            text=f"Disconnected {login.number}; it stays linked. Nothing comes or goes until you send `reconnect`."
        )

    return Command(
        name="disconnect",
        section=CommandSection.LOGIN,
        summary="Take a link down without unlinking it, until `reconnect`.",
        usage="[login]",
        example="14155550001",
        level=PermissionLevel.USER,
        max_args=1,
        run=run,
    )


def _set_preferred(logins: Logins) -> Command:
    async def run(call: Call) -> Result:
        login = await _require(logins, call)
        await logins.set_preferred(login)
        return Said(text=f"Your commands now mean {login.number} when they name no login.")

    return Command(
        name="set-preferred-login",
        aliases=("prefer",),
        section=CommandSection.LOGIN,
        summary="Choose the login that your commands mean when they name none.",
        usage="<login>",
        example="14155550001",
        level=PermissionLevel.USER,
        min_args=1,
        max_args=1,
        run=run,
    )
