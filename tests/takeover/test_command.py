"""`import-mautrix`, from an old configuration to a link that goes on."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mautrix_whatsapp_py.cli import main
from mautrix_whatsapp_py.config import load
from mautrix_whatsapp_py.config.document import parse_yaml
from mautrix_whatsapp_py.errors import ExitCode
from mautrix_whatsapp_py.ids import LoginId, SendId
from mautrix_whatsapp_py.model.content import WaText
from mautrix_whatsapp_py.model.wa_link import WaSent, WaStateKind
from mautrix_whatsapp_py.store.url import SqliteAddress
from tests.simulator.api import simulator
from tests.takeover.old import ALICE, BOB, OldDatabase, add_sessions, fill_bridgev2
from tests.whatsapp.harness import bench, to_wa_jid

CURRENT = """
homeserver: {address: http://127.0.0.1:8008, domain: localhost, async_media: false}
appservice:
    address: http://127.0.0.1:29318
    id: wa
    bot: {username: wabot, displayname: Our bot}
    as_token: the-as-token
    hs_token: the-hs-token
    username_template: wa_{{.}}
database: {type: sqlite3-fk-wal, uri: "file:old.db?_txlock=immediate"}
network:
    os_name: Ours
    displayname_template: '{{or .BusinessName .PushName .Phone .RedactedPhone "Unknown user"}} (WA)'
    archive_tag: u.archive
    identity_change_notices: true
bridge:
    command_prefix: "!w"
    permissions: {"localhost": user, "@alice:localhost": admin}
double_puppet: {secrets: {localhost: "as_token:double"}}
logging: {min_level: trace, writers: [{type: stdout}]}
"""
LEGACY = """
homeserver: {address: http://127.0.0.1:8008, domain: localhost}
appservice:
    address: http://127.0.0.1:29318
    database: {type: sqlite3-fk-wal, uri: "file:old.db"}
    id: wa
    as_token: the-as-token
    hs_token: the-hs-token
whatsapp: {os_name: Ours, browser_name: safari}
bridge:
    username_template: wa_{{.}}
    displayname_template: "{{if .BusinessName}}{{.BusinessName}}{{end}} (WA)"
    delivery_receipts: true
    history_sync: {backfill: true, message_count: 70, max_initial_conversations: 5}
    login_shared_secret_map: {localhost: "as_token:double"}
    double_puppet_server_map: {other.example: "https://other.example"}
    crash_on_stream_replaced: true
    encryption: {allow: true, rotation: {messages: 50}}
    permissions: {"localhost": user}
metrics: {enabled: true, listen: "127.0.0.1:9001"}
"""


@pytest.fixture
def old(tmp_path: Path) -> OldDatabase:
    (tmp_path / "config.yaml").write_text(CURRENT)
    return OldDatabase(address=SqliteAddress(path=tmp_path / "old.db"))


def take(folder: Path, *arguments: str) -> int:
    return main(["import-mautrix", "-c", str(folder / "config.yaml"), *arguments])


def test_configuration_registration_and_report(
    old: OldDatabase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill_bridgev2(old)
    add_sessions(old, f"{ALICE}:12@s.whatsapp.net")
    before = old.dump()
    assert take(tmp_path) == ExitCode.OK
    said = capsys.readouterr().out
    assert old.dump() == before
    assert "messages: 20 of 21" in said
    assert "configuration network.identity_change_notices: it has no effect here" in said
    folder = tmp_path / "mautrix-whatsapp-py"
    config = load(folder / "config.yaml", {})
    assert (config.appservice.as_token, config.appservice.username_template) == ("the-as-token", "wa_{{.}}")
    assert (config.network.os_name, config.bridge.command_prefix) == ("Ours", "!w")
    assert config.network.archive_tag == "u.archive"
    assert "RedactedPhone" in config.network.displayname_template
    assert config.double_puppet.secrets == {"localhost": "as_token:double"}
    assert config.data_folder == folder
    registration = parse_yaml((folder / "registration.yaml").read_text())
    assert (registration["id"], registration["hs_token"]) == ("wa", "the-hs-token")
    session = folder / "sessions" / "sessions" / ALICE / "session.db"
    assert session.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(session)) as connection:
        assert connection.execute("SELECT jid, push_name FROM whatsmeow_device").fetchall() == [
            (f"{ALICE}:12@s.whatsapp.net", "Alice")
        ]
    # Once more: what is there stays, also what was changed since.
    (folder / "config.yaml").write_text((folder / "config.yaml").read_text().replace("!w", "!x"))
    stamp = session.stat().st_mtime_ns
    assert take(tmp_path) == ExitCode.OK
    assert load(folder / "config.yaml", {}).bridge.command_prefix == "!x"
    assert session.stat().st_mtime_ns == stamp


def test_a_dry_run_leaves_nothing(old: OldDatabase, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill_bridgev2(old)
    assert take(tmp_path, "--dry-run") == ExitCode.OK
    assert "messages: 20 of 21" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "old.db"]


def test_a_configuration_of_the_versions_before(
    old: OldDatabase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text(LEGACY)
    fill_bridgev2(old)
    assert take(tmp_path) == ExitCode.OK
    said = capsys.readouterr().out
    assert "configuration bridge.crash_on_stream_replaced: there is no such key here" in said
    assert "configuration network.displayname_template" in said
    config = load(tmp_path / "mautrix-whatsapp-py" / "config.yaml", {})
    assert (config.network.os_name, config.network.browser_name.value) == ("Ours", "safari")
    assert (config.backfill.max_initial_messages, config.network.history_sync.max_initial_conversations) == (70, 5)
    assert (config.matrix.delivery_receipts, config.appservice.username_template) == (True, "wa_{{.}}")
    assert config.double_puppet.servers == {"other.example": "https://other.example"}
    assert config.encryption.allow
    assert config.encryption.rotation.messages == 50
    assert config.metrics.listen == "127.0.0.1:9001"


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("sqlite:///absent.db", "does not exist"),
        ("mysql://host/name", "address of the old database is wrong"),
        ("postgresql://nobody@127.0.0.1:1/none", "cannot be reached"),
    ],
)
def test_wrong_databases(
    old: OldDatabase, tmp_path: Path, uri: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert take(tmp_path, "--database", uri) != ExitCode.OK
    assert said in capsys.readouterr().err


@pytest.mark.neonize
async def test_a_link_goes_on_without_pairing(old: OldDatabase, tmp_path: Path) -> None:
    """A session that the real library made goes into the old database; afterwards it sends and receives."""
    async with simulator(tmp_path / "wa") as wa:
        alice, bob = wa.add_account(ALICE, "Alice"), wa.add_account(BOB, "Bob")
        async with bench(wa, tmp_path / "before") as before:
            await before.pair(alice)
            await bob.phone.text(alice.pn, "before")
            await before.sink.until(lambda: "before" in before.sink.texts())
        session = tmp_path / "before" / "sessions" / ALICE / "session.db"
        fill_bridgev2(old, device=_move_session(session, tmp_path / "old.db"))
        assert await asyncio.to_thread(take, tmp_path) == ExitCode.OK
        async with bench(wa, tmp_path / "mautrix-whatsapp-py" / "sessions") as after:
            await after.sink.until_state(LoginId(ALICE), WaStateKind.CONNECTED)
            await bob.phone.text(alice.pn, "after")
            await after.sink.until(lambda: "after" in after.sink.texts())
            link = after.network.get_client(LoginId(ALICE))
            assert link is not None
            answer = WaText(body="here I am")
            sent = await link.send_message(to_wa_jid(bob.pn), answer, send_id=SendId("s1"), secret=os.urandom(32))
            assert isinstance(sent, WaSent)
            assert (await bob.phone.receive_next()).text == "here I am"


def _move_session(session: Path, database: Path) -> int:
    """Put the library's tables where the old bridge has them; the number of the device."""
    with closing(sqlite3.connect(session)) as source, closing(sqlite3.connect(database)) as target:
        source.backup(target)
        (jid,) = target.execute("SELECT jid FROM whatsmeow_device").fetchone()
    return int(str(jid).partition(":")[2].partition("@")[0])
