"""The text form of polls, which shows the votes so far to those whose clients know no polls."""

from __future__ import annotations

from datetime import datetime

from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.convert.polls import count_votes, render_poll
from mautrix_whatsapp_py.convert.text import Formatted
from mautrix_whatsapp_py.ids import MxRoomId, MxTxnId
from mautrix_whatsapp_py.model.content import MxEdit, MxMentions, MxMessageContent, MxMsgType, MxReply
from mautrix_whatsapp_py.model.people import Person
from mautrix_whatsapp_py.model.portal import PollRow

ENDED = "The poll is over."


async def render_votes(poll: PollRow, room_id: MxRoomId, talk: Talk, *, note: str = "") -> Formatted | None:
    """A poll with the votes so far; None when the homeserver does not have it any more."""
    shown_by = poll.event_id or poll.tally_event_id
    start = None if shown_by is None else await talk.chats.fetch_poll(room_id, shown_by)
    if start is None:
        return None
    async with talk.store.reading() as tx:
        votes = await talk.rows.polls.get_votes(tx, poll.portal_id, poll.message_id)
    voters = sum(1 for vote in votes if vote.digests)
    return render_poll(start, count_votes(votes, poll.options), voters=voters, note=note)


async def show_votes(
    poll: PollRow,
    room_id: MxRoomId,
    talk: Talk,
    *,
    txn_id: MxTxnId,
    note: str = "",
    at: datetime | None = None,
) -> None:
    """Edit the text form, as if at some time; a poll that was made on Matrix has one from the first vote on."""
    text = await render_votes(poll, room_id, talk, note=note)
    if text is None:
        return
    relation: MxEdit | MxReply | None = None
    if poll.tally_event_id is not None:
        relation = MxEdit(event_id=poll.tally_event_id)
    elif poll.event_id is not None:
        relation = MxReply(event_id=poll.event_id)
    content = MxMessageContent(
        # Where there is no other event of the poll, the text is the message and not a remark on it.
        msgtype=MxMsgType.TEXT if poll.event_id is None else MxMsgType.NOTICE,
        body=text.body,
        html=text.html,
        mentions=MxMentions(),
        relation=relation,
    )
    author = None if poll.is_from_matrix else await _author(poll, talk)
    if author is None:
        event_id = await talk.ghosts.send_bot_message(room_id, content, txn_id=txn_id)
    else:
        login = talk.login_of(author)
        event_id = await talk.ghosts.send_message(
            room_id,
            content,
            person=author,
            txn_id=txn_id,
            sent_at=at or talk.clock.now(),
            double=None if login is None else login.user,
        )
    if poll.tally_event_id is None:
        await talk.store.write(lambda tx: talk.rows.polls.set_tally(tx, poll, event_id))


async def _author(poll: PollRow, talk: Talk) -> Person | None:
    async with talk.store.reading() as tx:
        parts = await talk.rows.messages.get_parts(tx, poll.portal_id, poll.message_id)
    return await talk.persons.get(parts[0].person_id) if parts else None
