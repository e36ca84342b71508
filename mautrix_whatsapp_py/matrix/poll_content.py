"""Polls, votes and their ends as Matrix JSON, in the names clients write and those of the specification."""

from __future__ import annotations

from typing import Any, Final

from mautrix_whatsapp_py.convert.text import clean
from mautrix_whatsapp_py.ids import MxEventId
from mautrix_whatsapp_py.matrix.fields import Fields, get_fields, get_text, is_id
from mautrix_whatsapp_py.model.polls import MxPollEnd, MxPollOption, MxPollStart, MxPollVote

Json = dict[str, Any]

START: Final = "org.matrix.msc3381.poll.start"
VOTE: Final = "org.matrix.msc3381.poll.response"
END: Final = "org.matrix.msc3381.poll.end"
STARTS: Final = frozenset({START, "m.poll.start"})
VOTES: Final = frozenset({VOTE, "m.poll.response"})
ENDS: Final = frozenset({END, "m.poll.end"})
_TEXT: Final = "org.matrix.msc1767.text"
_MAX_OPTIONS: Final = 20
_MAX_ID: Final = 255
_MAX_TEXT: Final = 2_048
_OPEN: Final = "org.matrix.msc3381.poll.disclosed"
_HIDDEN: Final = frozenset({"org.matrix.msc3381.poll.undisclosed", "m.undisclosed"})


def decode_poll_start(content: Fields) -> MxPollStart | None:
    """A poll, wherever in a content it stands; None when there is none with answers."""
    poll = get_fields(content, START) or get_fields(content, "m.poll") or get_fields(content, "m.poll.start")
    answers = poll.get("answers")
    if not isinstance(answers, list):
        return None
    options = [_decode_option(answer) for answer in answers[:_MAX_OPTIONS] if isinstance(answer, dict)]
    found = {option.id: option for option in options if option is not None}
    if not found:
        return None
    most = poll.get("max_selections")
    is_counted = isinstance(most, int) and not isinstance(most, bool) and most > 0
    return MxPollStart(
        question=_decode_text(get_fields(poll, "question")),
        options=tuple(found.values()),
        max_selections=min(int(most), _MAX_OPTIONS) if is_counted and isinstance(most, int) else 1,
        is_hidden=get_text(poll, "kind") in _HIDDEN,
    )


def decode_poll_vote(content: Fields) -> MxPollVote | None:
    """A vote; None when it is in no poll."""
    poll = _decode_target(content)
    if poll is None:
        return None
    answers = get_fields(content, VOTE).get("answers")
    chosen = answers if isinstance(answers, list) else content.get("m.selections")
    names = chosen if isinstance(chosen, list) else []
    return MxPollVote(poll=poll, options=tuple(name for name in names[:_MAX_OPTIONS] if isinstance(name, str)))


def decode_poll_end(content: Fields) -> MxPollEnd | None:
    """The end of a poll; None when it ends none."""
    poll = _decode_target(content)
    return None if poll is None else MxPollEnd(poll=poll)


def encode_poll(content: MxPollStart | MxPollVote | MxPollEnd) -> tuple[str, Json]:
    """Type and content of an event."""
    match content:
        case MxPollStart():
            return START, encode_poll_start(content)
        case MxPollVote(poll=poll, options=options):
            return VOTE, {**_about(poll), VOTE: {"answers": list(options)}}
        case MxPollEnd(poll=poll):
            return END, {**_about(poll), END: {}, _TEXT: "The poll is over.", "body": "The poll is over."}


def encode_poll_start(start: MxPollStart) -> Json:
    """Content of a poll; what stands beside it is for clients that know none."""
    answers = [{"id": option.id, _TEXT: option.text} for option in start.options]
    poll: Json = {
        "kind": _OPEN,
        "max_selections": start.max_selections,
        "question": {_TEXT: start.question, "body": start.question, "msgtype": "m.text"},
        "answers": answers,
    }
    mentions: Json = {"user_ids": sorted(start.mentions)} if start.mentions else {}
    return {START: poll, _TEXT: start.fallback, "body": start.fallback, "m.mentions": mentions}


def _about(poll: MxEventId) -> Json:
    return {"m.relates_to": {"rel_type": "m.reference", "event_id": poll}, "m.mentions": {}}


def _decode_target(content: Fields) -> MxEventId | None:
    relation = get_fields(content, "m.relates_to")
    event_id = relation.get("event_id")
    is_about = relation.get("rel_type") == "m.reference" and is_id(event_id)
    return MxEventId(str(event_id)) if is_about else None


def _decode_option(answer: Fields) -> MxPollOption | None:
    name = get_text(answer, "id") or get_text(answer, "m.id")
    if not name or len(name) > _MAX_ID:
        return None
    return MxPollOption(id=name, text=_decode_text(answer))


def _decode_text(fields: Fields) -> str:
    plain = get_text(fields, _TEXT) or get_text(fields, "body") or _decode_parts(fields.get("m.text"))
    return clean(plain[:_MAX_TEXT]).strip()


def _decode_parts(parts: object) -> str:
    """The specification's texts: the first one that is plain."""
    if not isinstance(parts, list):
        return ""
    plain = (
        part for part in parts if isinstance(part, dict) and part.get("mimetype", "text/plain") == "text/plain"
    )
    return next((text for part in plain if (text := get_text(part, "body"))), "")
