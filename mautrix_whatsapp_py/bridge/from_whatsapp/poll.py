"""Polls and votes from WhatsApp."""

from __future__ import annotations

import logging
from dataclasses import replace

from mautrix_whatsapp_py.bridge.disappearing import add_disappearing, shown_timer
from mautrix_whatsapp_py.bridge.from_whatsapp.context import Fetched
from mautrix_whatsapp_py.bridge.from_whatsapp.scene import double_of
from mautrix_whatsapp_py.bridge.from_whatsapp.told import Told
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.bridge.tallies import ENDED, show_votes
from mautrix_whatsapp_py.convert.polls import ids_of
from mautrix_whatsapp_py.convert.results import MxPollAnswer, MxPollSend
from mautrix_whatsapp_py.errors import MatrixRefused, MatrixUnreachable, StoreError
from mautrix_whatsapp_py.ids import MxEventId, MxTxnId
from mautrix_whatsapp_py.model.content import MxEdit, MxMsgType
from mautrix_whatsapp_py.model.polls import MxPollEnd, MxPollVote
from mautrix_whatsapp_py.model.portal import PollRow
from mautrix_whatsapp_py.store.store import Tx

log = logging.getLogger(__name__)

_BATCH = 50


async def show(result: MxPollSend, told: Told, talk: Talk) -> None:
    """Show a poll, and beside it its text form, which will show the votes."""
    start, text, person, sent_at = result.start, result.text, told.scene.sender, told.event.timestamp
    event_id: MxEventId | None = None
    double = double_of(told.scene, talk)
    if talk.settings.with_poll_events and start.options:
        event_id = await talk.ghosts.send_poll(
            told.room_id, start, person=person, txn_id=told.txn_id(0, "poll"), sent_at=sent_at, double=double
        )
        text = replace(text, msgtype=MxMsgType.NOTICE)
    elif start.options:
        text = replace(text, poll=start)
    sent_id = await talk.ghosts.send_message(
        told.room_id,
        shown_timer(text, talk),
        person=person,
        txn_id=told.txn_id(0, "send"),
        sent_at=sent_at,
        double=double,
    )
    replaced = text.relation.event_id if isinstance(text.relation, MxEdit) else None
    tally_id = replaced or sent_id
    events = [event_id, None if replaced else sent_id]
    parts = [told.part(1 if replaced else index, one) for index, one in enumerate(events) if one is not None]
    poll = PollRow(
        portal_id=told.scene.portal.id,
        message_id=told.event.message_id,
        options=result.options,
        max_selections=start.max_selections,
        event_id=event_id,
        tally_event_id=tally_id,
        ends_at=result.ends_at,
    )
    timers = [(one, text.disappears_after_s) for one in (event_id, tally_id) if one is not None]

    async def record(tx: Tx) -> None:
        await talk.rows.messages.add(tx, parts)
        await talk.rows.polls.add(tx, poll)
        await add_disappearing(tx, timers, room_id=told.room_id, sent_at=sent_at, talk=talk)
        if replaced is not None:
            await talk.rows.messages.settle_placeholder(tx, poll.portal_id, poll.message_id, told.scene.sender.id)

    await talk.store.write(record)


async def answer(result: MxPollAnswer, told: Told, fetched: Fetched, talk: Talk) -> None:
    """Show a vote, in the poll and in its text form."""
    target = fetched.targets[0]
    poll = await talk.store.read(lambda tx: talk.rows.polls.get(tx, target.portal_id, target.message_id))
    if poll is None:
        log.info("a vote is in a poll that was bridged without its options")
        return
    voter = told.scene.sender
    event_id: MxEventId | None = None
    if poll.event_id is not None:
        vote = MxPollVote(poll=poll.event_id, options=ids_of(result.digests, poll.options))
        event_id = await talk.ghosts.send_poll(
            told.room_id,
            vote,
            person=voter,
            txn_id=told.txn_id(0, "vote"),
            sent_at=told.event.timestamp,
            double=double_of(told.scene, talk),
        )

    async def record(tx: Tx) -> None:
        await talk.rows.polls.put_vote(tx, poll.portal_id, poll.message_id, voter.id, result.digests)

    await talk.store.write(record)
    at = told.event.timestamp if told.scene.is_past else None
    await show_votes(poll, told.room_id, talk, txn_id=told.txn_id(0, "tally"), at=at)
    if event_id is not None:
        # Last: a vote that is known is not counted again.
        part = told.part(0, event_id)
        await talk.store.write(lambda tx: talk.rows.messages.add(tx, [part]))


async def end_due(talk: Talk) -> None:
    """Show the end of polls whose time has come; what fails for now stays for the next round. Never raises."""
    try:
        async with talk.store.reading() as tx:
            due = await talk.rows.polls.get_due(tx, talk.clock.now(), limit=_BATCH)
        for poll in due:
            await _end(poll, talk)
    except MatrixUnreachable:
        log.info("ends of polls have to wait for the homeserver")
    except StoreError as error:
        log.warning("ends of polls have to wait: %s", error.text)
    except Exception:
        log.exception("ends of polls could not be shown")


async def _end(poll: PollRow, talk: Talk) -> None:
    portal = await talk.portals.get(poll.portal_id)
    if portal is not None and portal.room_id is not None:
        name = f"{poll.portal_id}-{poll.message_id}"
        try:
            await show_votes(poll, portal.room_id, talk, txn_id=MxTxnId(f"poll-over-{name}"), note=ENDED)
            await _end_event(poll, talk, MxTxnId(f"poll-end-{name}"))
        except MatrixRefused as error:
            log.info("the end of a poll cannot be shown: %s %s", error.status, error.errcode)
    await talk.store.write(lambda tx: talk.rows.polls.end(tx, poll))


async def _end_event(poll: PollRow, talk: Talk, txn_id: MxTxnId) -> None:
    portal = await talk.portals.get(poll.portal_id)
    async with talk.store.reading() as tx:
        parts = await talk.rows.messages.get_parts(tx, poll.portal_id, poll.message_id)
    author = await talk.persons.get(parts[0].person_id) if parts else None
    if portal is None or portal.room_id is None or poll.event_id is None or author is None:
        return
    end, login = MxPollEnd(poll=poll.event_id), talk.login_of(author)
    await talk.ghosts.send_poll(
        portal.room_id,
        end,
        person=author,
        txn_id=txn_id,
        sent_at=talk.clock.now(),
        double=None if login is None else login.user,
    )
