"""Polls and votes on their way to WhatsApp: what is known of them, and what is to be remembered."""

from __future__ import annotations

import logging

from mautrix_whatsapp_py.bridge.from_matrix.context import Stage, Target
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.bridge.tallies import render_votes, show_votes
from mautrix_whatsapp_py.convert.context import KnownPoll
from mautrix_whatsapp_py.convert.polls import options_of
from mautrix_whatsapp_py.errors import MatrixRefused
from mautrix_whatsapp_py.ids import MxTxnId
from mautrix_whatsapp_py.model.content import MxContent, MxPollEnd, MxPollStart, MxPollVote, WaSendable
from mautrix_whatsapp_py.model.mx import MxOrigin
from mautrix_whatsapp_py.model.portal import MessagePart, PollRow
from mautrix_whatsapp_py.model.rich import WaPollVote
from mautrix_whatsapp_py.store.store import Tx

log = logging.getLogger(__name__)


async def fetch_known(content: MxContent, target: Target, stage: Stage, talk: Talk) -> KnownPoll | None:
    """The poll that is voted in or ended."""
    if not isinstance(content, MxPollVote | MxPollEnd):
        return None
    poll = await fetch_row(target, talk)
    if poll is None:
        return None
    result = ""
    if isinstance(content, MxPollEnd) and stage.portal.room_id is not None:
        text = await render_votes(poll, stage.portal.room_id, talk)
        result = "" if text is None else text.body
    texts: dict[str, str] = {}
    if stage.relaying is not None and stage.portal.room_id is not None:
        shown_by = poll.event_id or poll.tally_event_id
        start = None if shown_by is None else await talk.chats.fetch_poll(stage.portal.room_id, shown_by)
        texts = {} if start is None else {option.id: option.text for option in start.options}
    return KnownPoll(options=poll.options, max_selections=poll.max_selections, result=result, texts=texts)


async def fetch_row(target: Target, talk: Talk) -> PollRow | None:
    """What is remembered of a poll."""
    part = target.part
    if part is None:
        return None
    async with talk.store.reading() as tx:
        return await talk.rows.polls.get(tx, part.portal_id, part.message_id)


async def record(
    tx: Tx,
    sent: MxContent,
    content: WaSendable,
    part: MessagePart,
    target: Target,
    talk: Talk,
) -> None:
    """Remember a poll's options, or a vote, with the message that said so."""
    if isinstance(sent, MxPollStart):
        poll = PollRow(
            portal_id=part.portal_id,
            message_id=part.message_id,
            options=options_of(sent),
            max_selections=sent.max_selections,
            event_id=part.event_id,
            is_from_matrix=True,
        )
        await talk.rows.polls.add(tx, poll)
    elif isinstance(content, WaPollVote) and target.part is not None:
        poll_part = target.part
        await talk.rows.polls.put_vote(
            tx, poll_part.portal_id, poll_part.message_id, part.person_id, content.options
        )


async def show(content: WaSendable, origin: MxOrigin, target: Target, talk: Talk) -> None:
    """Count a vote in the poll's text form."""
    poll = await fetch_row(target, talk) if isinstance(content, WaPollVote) else None
    if poll is None:
        return
    try:
        await show_votes(poll, origin.room_id, talk, txn_id=MxTxnId(f"tally-{origin.event_id}"))
    except MatrixRefused as error:
        log.info("the votes of a poll cannot be shown: %s %s", error.status, error.errcode)
