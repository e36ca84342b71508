"""Commands about how a chat behaves for the one who sends them."""

from __future__ import annotations

import re

from mautrix_whatsapp_py.bridge.disappearing import set_timer
from mautrix_whatsapp_py.commands.chat_deps import Answer, ChatDeps, explained, require_here
from mautrix_whatsapp_py.commands.results import Said
from mautrix_whatsapp_py.commands.spec import Call, Command, CommandSection, UsageError
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.errors import CommandError
from mautrix_whatsapp_py.ids import BROADCAST_SERVER, NEWSLETTER_SERVER
from mautrix_whatsapp_py.model.privacy import Shown, ShownKind

DAY_SECONDS = 86_400
TIMERS = {"off": 0, "0": 0, "1d": DAY_SECONDS, "24h": DAY_SECONDS, "7d": 7 * DAY_SECONDS, "90d": 90 * DAY_SECONDS}
_TIMER_WORDS = {0: "", DAY_SECONDS: "24 hours", 7 * DAY_SECONDS: "7 days", 90 * DAY_SECONDS: "90 days"}
_DURATION = re.compile(r"(\d{1,4})([hdw])")
NO_MUTE = (
    "I cannot mute this chat on WhatsApp: linked devices of this kind may only mute channels. "
    "Mute it on the phone, or mute this room in your Matrix client; both work side by side."
)
_WHAT = {
    ShownKind.RECEIPTS: "that you have read something",
    ShownKind.TYPING: "that you are typing",
    ShownKind.PRESENCE: "that you are online",
}


def wish_commands(deps: ChatDeps) -> tuple[Command, ...]:
    """`mute`, `unmute`, `disappearing-timer`, `privacy`."""
    return (_mute(deps), _unmute(deps), _timer(deps), _privacy(deps))


def _mute(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Answer:
        if call.args and not _DURATION.fullmatch(call.args[0].lower()):
            raise UsageError("A duration looks like 8h, 7d or 2w.")
        return await _set_mute(deps, call, is_muted=True)

    return Command(
        name="mute",
        section=CommandSection.CHATS,
        summary="Mute this channel on WhatsApp.",
        usage="[duration]",
        example="8h",
        level=PermissionLevel.USER,
        max_args=1,
        run=run,
    )


def _unmute(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Answer:
        return await _set_mute(deps, call, is_muted=False)

    return Command(
        name="unmute",
        section=CommandSection.CHATS,
        summary="End the muting of this channel on WhatsApp.",
        level=PermissionLevel.USER,
        run=run,
    )


async def _set_mute(deps: ChatDeps, call: Call, *, is_muted: bool) -> Said:
    here = await require_here(deps, call)
    if here.chat.server != NEWSLETTER_SERVER:
        raise CommandError(NO_MUTE)
    if call.args:
        raise CommandError("Channels can only be muted for good. Send `mute` without a duration.")
    with explained("This channel was not changed"):
        await deps.directory(here.login).mute_newsletter(here.chat, is_muted=is_muted)
    deps.filters.note_channel(here.login.id, here.chat, is_muted=is_muted)
    undo = "unmute" if is_muted else "mute"
    return Said(
        text=f"This channel is {'now muted' if is_muted else 'not muted any more'} on WhatsApp. "
        f"Send `{call.prefix}{undo}` to undo that."
    )


def _timer(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Answer:
        here = await require_here(deps, call)
        seconds = TIMERS.get(call.args[0].lower())
        if seconds is None:
            raise UsageError("WhatsApp knows off, 1d, 7d and 90d.")
        if here.chat.server in (NEWSLETTER_SERVER, BROADCAST_SERVER):
            raise CommandError("Messages of channels and status updates cannot be made to disappear.")
        with explained("The timer was not changed"):
            await deps.directory(here.login).set_disappearing(here.chat, seconds)
        await set_timer(here.portal, seconds, deps.talk)
        if not seconds:
            return Said(text="New messages stay. Those that are to disappear still do.")
        return Said(text=f"New messages here disappear after {_TIMER_WORDS[seconds]}, for everybody in this chat.")

    return Command(
        name="disappearing-timer",
        aliases=("disappear-timer",),
        section=CommandSection.CHATS,
        summary="Have new messages of this chat disappear after a while.",
        usage="<off | 1d | 7d | 90d>",
        example="7d",
        level=PermissionLevel.USER,
        min_args=1,
        max_args=1,
        run=run,
    )


def _privacy(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Answer:
        if len(call.args) == 1:
            raise UsageError("Say what to show or keep back, then on or off.")
        here = await require_here(deps, call)
        if not call.args:
            return Said(text=_describe(await deps.privacy.get(here.login.id, here.portal.id)))
        kind, is_shown = _decode_kind(call.args[0]), _decode_switch(call.args[1])
        shown = await deps.privacy.set(here.login.id, here.portal.id, kind, is_shown=is_shown)
        verb = "is shown" if is_shown else "is kept back from now on"
        return Said(text=f"In this chat, {_WHAT[kind]} {verb}.\n{_describe(shown)}")

    return Command(
        name="privacy",
        section=CommandSection.CHATS,
        summary="Choose what you show of yourself in this chat: read receipts, typing, presence.",
        usage="[receipts | typing | presence] [on | off]",
        example="receipts off",
        level=PermissionLevel.USER,
        max_args=2,
        run=run,
    )


def _decode_kind(word: str) -> ShownKind:
    try:
        return ShownKind(word.lower())
    except ValueError as error:
        raise UsageError("I know receipts, typing and presence.") from error


def _decode_switch(word: str) -> bool:
    if word.lower() in {"on", "off"}:
        return word.lower() == "on"
    raise UsageError("Say on or off.")


def _describe(shown: Shown) -> str:
    lines = [f"• {kind.value}: {'on' if shown.has(kind) else 'off'}" for kind in ShownKind]
    return "\n".join(["What people of this chat see of you:", *lines])
