"""Commands for those who look for what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime

from mautrix_whatsapp_py.commands.chat_deps import Answer, ChatDeps, Here, explained, require_here
from mautrix_whatsapp_py.commands.results import Said
from mautrix_whatsapp_py.commands.spec import Call, Command, CommandSection
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.errors import WhatsAppError
from mautrix_whatsapp_py.ids import NEWSLETTER_SERVER
from mautrix_whatsapp_py.store.chat_marks import ChatMarkRows


def debugging_commands(deps: ChatDeps) -> tuple[Command, ...]:
    """`debug-account-data`, `debug-reset-network`."""
    return (_account_data(deps), _reset_network(deps))


def _account_data(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Answer:
        here = await require_here(deps, call)
        with explained("How the phone has put this chat is not known"):
            phone = await _on_the_phone(deps, here)
        room_id = here.portal.room_id
        known = await deps.talk.store.read(lambda tx: ChatMarkRows().get_all(tx, here.login.id))
        told = known.get(room_id) if room_id is not None else None
        names = {"pinned": told.is_pinned, "archived": told.is_archived, "muted": told.is_muted} if told else {}
        shown = ", ".join(name for name, is_set in names.items() if is_set) or "nothing of that"
        can_act = deps.talk.doubles.can_act_as(here.login.user)
        return Said(
            text=f"How {here.login.number} has put this chat:\n"
            f"• on the phone: {phone}\n"
            f"• your client was told: {shown if told is not None else 'nothing yet'}\n"
            f"• I can act as you: {'yes' if can_act else 'no, send `login-matrix` to change that'}"
        )

    return Command(
        name="debug-account-data",
        section=CommandSection.ADMIN,
        summary="Show if this chat is pinned, archived or muted on the phone, and what your client was told.",
        level=PermissionLevel.USER,
        run=run,
    )


async def _on_the_phone(deps: ChatDeps, here: Here) -> str:
    talk, person_id = deps.talk, here.portal.person_id
    if here.chat.server == NEWSLETTER_SERVER:
        is_muted = here.chat in talk.filters.get_muted_channels(here.login.id)
        return "muted" if is_muted else "not muted"
    person = await talk.persons.get(person_id) if person_id is not None else None
    jids = {here.chat, *(person.jids if person is not None else ())}
    words = []
    for setting in await deps.directory(here.login).fetch_chat_settings():
        if setting.chat in jids:
            words += ["pinned"] * setting.is_pinned + ["archived"] * setting.is_archived
            words += [_muted(setting.muted_until)] if setting.muted_until is not None else []
    return ", ".join(words) or "nothing of that"


def _muted(until: datetime) -> str:
    if until >= datetime.max.replace(tzinfo=UTC, microsecond=0):
        return "muted for good"
    return f"muted until {until:%Y-%m-%d %H:%M} UTC"


def _reset_network(deps: ChatDeps) -> Command:
    async def run(_call: Call) -> Answer:
        done, failed = 0, 0
        for login in deps.talk.logins.get_all():
            if deps.talk.logins.state_of(login).needs_login:
                continue
            try:
                await deps.talk.network.connect(login.id)
                done += 1
            except WhatsAppError:
                failed += 1
        more = f" {failed} cannot be connected just now: try again in a minute." if failed else ""
        links = f"{done} {'link' if done == 1 else 'links'}"
        return Said(text=f"Connecting {links} anew. Send `status` in a moment to see how they are.{more}")

    return Command(
        name="debug-reset-network",
        section=CommandSection.ADMIN,
        summary="Connect the links of all users to WhatsApp anew.",
        level=PermissionLevel.ADMIN,
        run=run,
    )
