"""Commands that answer polls and events, for those whose client cannot."""

from __future__ import annotations

from collections.abc import Sequence

from mautrix_whatsapp_py.bridge.delivery import send_id_of
from mautrix_whatsapp_py.bridge.from_matrix.context import Stage, set_stage
from mautrix_whatsapp_py.bridge.tallies import show_votes
from mautrix_whatsapp_py.commands.chat_deps import Answer, ChatDeps, explained, require_here
from mautrix_whatsapp_py.commands.results import Said
from mautrix_whatsapp_py.commands.spec import Call, Command, CommandSection, UsageError
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.errors import CommandError, WhatsAppUnavailable
from mautrix_whatsapp_py.ids import MxTxnId
from mautrix_whatsapp_py.model.content import WaMessageRef, WaSendable
from mautrix_whatsapp_py.model.portal import MessagePart, PollRow
from mautrix_whatsapp_py.model.rich import WaAnswer, WaOccasionAnswer, WaPollVote

_ANSWERS = {
    "going": WaAnswer.GOING,
    "yes": WaAnswer.GOING,
    "maybe": WaAnswer.MAYBE,
    "not-going": WaAnswer.NOT_GOING,
    "no": WaAnswer.NOT_GOING,
}


def answer_commands(deps: ChatDeps) -> tuple[Command, ...]:
    """`vote`, `rsvp`."""
    return (_vote(deps), _rsvp(deps))


def _vote(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Answer:
        part, stage = await _require_replied(deps, call, "the poll")
        async with deps.talk.store.reading() as tx:
            poll = await deps.talk.rows.polls.get(tx, part.portal_id, part.message_id)
        if poll is None:
            raise CommandError("That message is no poll I know of. Reply to the poll itself.")
        digests = _digests_of(call.args, poll)
        await _send(deps, call, stage, WaPollVote(target=_ref(part, stage), options=digests))
        await deps.talk.store.write(
            lambda tx: deps.talk.rows.polls.put_vote(tx, poll.portal_id, poll.message_id, stage.own.id, digests)
        )
        request = call.request
        await show_votes(poll, request.room_id, deps.talk, txn_id=MxTxnId(f"tally-{request.event_id}"))
        return Said(text="You voted." if digests else "You took your vote back.")

    return Command(
        name="vote",
        section=CommandSection.CHATS,
        summary="Vote in the poll you reply to, by the numbers of its options; `none` takes your vote back.",
        usage="<numbers>",
        example="1 3",
        level=PermissionLevel.USER,
        min_args=1,
        max_args=None,
        run=run,
    )


def _digests_of(words: Sequence[str], poll: PollRow) -> tuple[bytes, ...]:
    if [word.lower() for word in words] == ["none"]:
        return ()
    if not all(word.isdecimal() and 1 <= int(word) <= len(poll.options) for word in words):
        raise UsageError(f"Name options by their numbers, from 1 to {len(poll.options)}.")
    digests = tuple(dict.fromkeys(poll.options[int(word) - 1].digest for word in words))
    if 0 < poll.max_selections < len(digests):
        raise UsageError(f"This poll takes at most {poll.max_selections} of its options.")
    return digests


def _rsvp(deps: ChatDeps) -> Command:
    async def run(call: Call) -> Answer:
        answer = _ANSWERS.get(call.args[0].lower())
        if answer is None:
            raise UsageError("Answer with `going`, `maybe` or `not-going`.")
        part, stage = await _require_replied(deps, call, "the event")
        await _send(deps, call, stage, WaOccasionAnswer(target=_ref(part, stage), answer=answer))
        return Said(text=f"You answered: {answer.value}.")

    return Command(
        name="rsvp",
        section=CommandSection.CHATS,
        summary="Answer the event you reply to: `going`, `maybe` or `not-going`.",
        usage="<answer>",
        example="going",
        level=PermissionLevel.USER,
        min_args=1,
        max_args=1,
        run=run,
    )


async def _require_replied(deps: ChatDeps, call: Call, what: str) -> tuple[MessagePart, Stage]:
    """The message that the command replies to, and the way to its chat."""
    here = await require_here(deps, call)
    if call.request.replied_to is None:
        raise UsageError(f"Send this as a reply to {what}.")
    replied_to = call.request.replied_to
    await deps.talk.recorded(here.portal.id)
    async with deps.talk.store.reading() as tx:
        part = await deps.talk.rows.messages.get_by_event(tx, replied_to)
    stage = await set_stage(here.portal, here.login, deps.talk)
    if part is None or stage is None or part.portal_id != here.portal.id:
        raise CommandError(f"That message is not on WhatsApp. Reply to {what} itself.")
    return part, stage


async def _send(deps: ChatDeps, call: Call, stage: Stage, content: WaSendable) -> None:
    with explained("Your answer was not sent"):
        client = deps.talk.network.get_client(stage.login.id)
        if client is None:
            raise WhatsAppUnavailable
        send_id = send_id_of(call.request.event_id)
        await client.send_message(stage.chat, content, send_id=send_id, secret=deps.talk.new_secret())


def _ref(part: MessagePart, stage: Stage) -> WaMessageRef:
    return WaMessageRef(chat=stage.chat, message_id=part.message_id, sender=part.sender)
