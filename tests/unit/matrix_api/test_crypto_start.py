"""Keys of encrypted rooms where the homeserver comes late."""

from __future__ import annotations

from pathlib import Path

import pytest

from mautrix_whatsapp_py.errors import MatrixUnreachable, StartupError
from mautrix_whatsapp_py.matrix.crypto import Crypto
from mautrix_whatsapp_py.matrix.crypto_options import CryptoOptions
from mautrix_whatsapp_py.matrix.http import Patience, RetryingHttp
from tests.unit.matrix_api.conftest import BOT, Answer, ScriptedServer

MARK = "/_matrix/client/v3/user/%40bot%3Alocalhost/account_data/net.mautrix_whatsapp_py.crypto"


async def test_a_homeserver_that_is_away_is_no_refusal(
    server: ScriptedServer, http: RetryingHttp, tmp_path: Path
) -> None:
    options = CryptoOptions(database=f"sqlite:///{tmp_path}/crypto.db", key_file=tmp_path / "crypto.key")
    hasty = http.with_patience(Patience(retry_limit=0, attempt_seconds=5))
    crypto = Crypto(hasty, options, bot=BOT, is_ours=lambda user: user == BOT)
    away, refusing = Answer(status=502), Answer(status=403, content={"errcode": "M_FORBIDDEN", "error": ""})
    server.script("GET", MARK, away, away, refusing)
    for _ in range(2):
        with pytest.raises(MatrixUnreachable):
            await crypto.start()
    with pytest.raises(StartupError):
        await crypto.start()
    assert len(server.seen_at(MARK)) == 3
    await crypto.stop()
