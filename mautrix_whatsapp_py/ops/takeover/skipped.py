"""Why something was not taken over, in the words of the report."""

from __future__ import annotations

from typing import Final

NOTICES: Final = "events that stand for no message of WhatsApp, like notices of calls"
ODD_MESSAGES: Final = "messages whose ids are of no known form"
ODD_REACTIONS: Final = "reactions whose ids are of no known form"
NO_ROOM: Final = "messages and reactions of chats that were not taken over"
NO_PERSON: Final = "messages and reactions whose sender is no person, like posts of channels"
NO_TARGET: Final = "reactions to messages that are not known"
SECOND_GHOSTS: Final = "second users of people who had one for their number and one for their LID"
ODD_GHOSTS: Final = "users that stand for nobody with a number or LID"
ODD_CHATS: Final = "chats of a kind that is not bridged here, like broadcast lists and bots"
ORPHANS: Final = "chats of accounts that are not there any more"
NO_TIMER: Final = "disappearing messages whose time has not begun"
