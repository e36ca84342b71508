"""What an account shows of itself in a chat."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.model.portal import PortalId
from mautrix_whatsapp_py.model.privacy import Shown, ShownKind
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.wishes import PrivacyRows

CACHE_SIZE = 5_000


class Privacy:
    """Receipts, typing and presence per account and chat; shown unless somebody said otherwise."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._usual = Shown()
        self._rows = PrivacyRows()
        self._known: OrderedDict[tuple[LoginId, PortalId], Shown] = OrderedDict()

    async def get(self, login: LoginId, portal_id: PortalId) -> Shown:
        """What an account shows in a chat."""
        key = (login, portal_id)
        known = self._known.get(key)
        if known is None:
            async with self._store.reading() as tx:
                known = await self._rows.get(tx, login, portal_id) or self._usual
            self._remember(key, known)
        return known

    async def set(self, login: LoginId, portal_id: PortalId, kind: ShownKind, *, is_shown: bool) -> Shown:
        """Show something in a chat, or keep it back."""
        current = await self.get(login, portal_id)
        wanted = _changed(current, kind, is_shown=is_shown)
        async with self._store.transaction() as tx:
            await self._rows.put(tx, login, portal_id, wanted)
        self._remember((login, portal_id), wanted)
        return wanted

    def _remember(self, key: tuple[LoginId, PortalId], shown: Shown) -> None:
        self._known[key] = shown
        while len(self._known) > CACHE_SIZE:
            self._known.popitem(last=False)


def _changed(shown: Shown, kind: ShownKind, *, is_shown: bool) -> Shown:
    match kind:
        case ShownKind.RECEIPTS:
            return replace(shown, receipts=is_shown)
        case ShownKind.TYPING:
            return replace(shown, typing=is_shown)
        case ShownKind.PRESENCE:
            return replace(shown, presence=is_shown)
