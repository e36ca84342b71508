"""Commands about history on a bridge where it is switched off."""

from __future__ import annotations

from mautrix_whatsapp_py.bridge.backfill.asking import Asking
from mautrix_whatsapp_py.bridge.backfill.backfill import Backfill
from mautrix_whatsapp_py.bridge.backfill.deps import BackfillDeps, BackfillSettings
from mautrix_whatsapp_py.bridge.backfill.pace import Pace
from mautrix_whatsapp_py.bridge.management import ManagementRooms
from mautrix_whatsapp_py.commands.chat_deps import ChatDeps
from mautrix_whatsapp_py.commands.history import history_commands
from mautrix_whatsapp_py.commands.spec import Command
from tests.fakes.chats import FakeMatrixChats
from tests.fakes.copies import FakeMatrixCopies
from tests.fakes.matrix import FakeMatrixApi


def without_history(deps: ChatDeps) -> tuple[Command, ...]:
    """The commands."""
    backfill = Backfill(
        BackfillDeps(
            talk=deps.talk,
            open_history=lambda _: None,
            management=ManagementRooms(users=deps.users, matrix=deps.matrix, rooms=deps.rooms),
            matrix=deps.matrix,
            settings=BackfillSettings(is_enabled=False),
            pace=Pace(deps.talk.clock),
            copies=FakeMatrixCopies(FakeMatrixChats(FakeMatrixApi())),
        )
    )
    return history_commands(deps, Asking(backfill))
