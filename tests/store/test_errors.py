"""What drivers raise becomes ours."""

from __future__ import annotations

import asyncpg
import pytest

from mautrix_whatsapp_py.errors import StoreUnavailable
from mautrix_whatsapp_py.store.errors import translated


def test_a_connection_that_was_ended_while_nothing_was_asked_is_a_database_that_is_away() -> None:
    with pytest.raises(StoreUnavailable), translated():
        raise asyncpg.InternalClientError("another operation is in progress")
