"""Parts of the store that can be told to fail."""

from __future__ import annotations

from mautrix_whatsapp_py.errors import StoreUnavailable
from mautrix_whatsapp_py.ids import InboxSeq
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.store.inbox import Inbox
from mautrix_whatsapp_py.store.logins import LoginBook
from mautrix_whatsapp_py.store.shown_codes import ShownCode, ShownCodes
from mautrix_whatsapp_py.store.store import Store
from tests.fakes.clock import FakeClock


class FaultyInbox(Inbox):
    """The inbox, which can be told to fail."""

    failures: list[tuple[BaseException, bool]]

    def __init__(self, store: Store, clock: FakeClock) -> None:
        super().__init__(store, clock)
        self.failures = []

    async def mark_handled(self, seq: InboxSeq) -> None:
        error, is_too_late = self.failures.pop(0) if self.failures else (None, False)
        if error is not None and not is_too_late:
            raise error
        await super().mark_handled(seq)
        if error is not None:
            raise error


class FaultyShownCodes(ShownCodes):
    """The codes on show, whose table can be told to be away."""

    failures = 0

    async def add(self, code: ShownCode) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable
        await super().add(code)


class FaultyLoginBook(LoginBook):
    """The logins, whose table can be told to be away."""

    failures = 0

    async def put(self, login: Login) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable
        await super().put(login)
