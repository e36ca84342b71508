"""A file of the reference bridge can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from mautrix_whatsapp_py.config import LogLevel
from mautrix_whatsapp_py.config.reference import is_reference_key
from mautrix_whatsapp_py.config.reference_keys import REFERENCE_KEYS
from mautrix_whatsapp_py.config.schema import all_keys
from tests.unit.config.samples import SMALLEST, problems_of, read_text_as_config, with_line

WHOLE = """\
network:
    os_name: Mautrix-WhatsApp bridge
    browser_name: unknown
    proxy: null
    get_proxy_url: null
    displayname_template: '{{or .BusinessName .PushName .Phone .RedactedPhone "Unknown user"}} (WA)'
    call_start_notices: true
    whatsapp_thumbnail: true
    history_sync:
        max_initial_conversations: -1
        dispatch_wait: 5m
        media_requests:
            request_method: immediate
bridge:
    command_prefix: "!wa"
    personal_filtering_spaces: true
    bridge_status_notices: errors
    only_bridge_tags: [m.favourite, m.lowpriority]
    relay:
        enabled: true
        default_relays: []
        message_formats:
            m.text: "{{ .Sender.Displayname }}: {{ .Message }}"
        allow_bridge: false
    permissions:
        "*": relay
        "localhost": user
        "@me:localhost": admin
database:
    type: sqlite3-fk-wal
    uri: file:whatsapp.db?_txlock=immediate
    max_open_conns: 5
    max_idle_conns: 1
    max_conn_idle_time: null
homeserver:
    address: http://127.0.0.1:8008
    domain: localhost
    software: standard
    async_media: false
    websocket: false
appservice:
    address: http://localhost:29318
    public_address: null
    hostname: 127.0.0.1
    port: 29318
    id: whatsapp
    bot:
        username: whatsappbot
        displayname: WhatsApp bridge bot
        avatar: mxc://maunium.net/NeXNQarUbrlYBiPCpprYsRqr
    ephemeral_events: true
    async_transactions: false
    as_token: a
    hs_token: b
    username_template: whatsapp_{{.}}
matrix:
    message_status_events: true
    upload_file_threshold: 5242880
provisioning:
    shared_secret: generated-of-many-characters
backfill:
    enabled: true
double_puppet:
    servers:
        anotherserver.example.org: https://matrix.anotherserver.example.org
encryption:
    allow: true
    default: true
    pickle_key: generated
    delete_keys:
        ratchet_on_decrypt: false
env_config_prefix: ""
logging:
    min_level: warn
    writers:
        - type: stdout
          format: pretty-colored
"""


def test_whole_file_is_read_and_what_was_changed_is_reported(tmp_path: Path) -> None:
    loaded = read_text_as_config(tmp_path, WHOLE)
    assert loaded.config.database.uri == f"sqlite:///{tmp_path}/whatsapp.db"
    assert loaded.config.logging.min_level is LogLevel.WARN
    assert loaded.ignored == (
        "network.whatsapp_thumbnail",
        "bridge.relay.allow_bridge",
    )


def test_no_key_is_both_ours_and_without_effect() -> None:
    assert not [key.path for key in all_keys() if not key.is_section and is_reference_key(key.path)]


def test_group_of_the_reference_may_hold_keys_unknown_to_us(tmp_path: Path) -> None:
    loaded = read_text_as_config(tmp_path, SMALLEST + "direct_media:\n    new_thing: 5\n")
    assert loaded.ignored == ("direct_media.new_thing",)


def test_every_section_of_the_reference_is_named() -> None:
    assert {"matrix", "provisioning", "backfill", "double_puppet", "encryption"} <= set(REFERENCE_KEYS)


@pytest.mark.parametrize("level", ["trace", "fatal", "panic", "warning"])
def test_its_log_levels_are_understood(tmp_path: Path, level: str) -> None:
    config = read_text_as_config(tmp_path, with_line("logging", f"min_level: {level}")).config
    assert config.logging.min_level.value in ("debug", "warn", "error")


@pytest.mark.parametrize("level", ["[info]", "{a: b}", "5", "loud"])
def test_wrong_log_level_is_named(tmp_path: Path, level: str) -> None:
    problems = problems_of(tmp_path, with_line("logging", f"min_level: {level}"))
    assert problems == ("logging.min_level: must be one of: debug, info, warn, error",)


DATABASES = {
    "relative": ("", "sqlite:///x.db", "sqlite:///{folder}/x.db"),
    "absolute": ("", "sqlite:////a/x.db", "sqlite:////a/x.db"),
    "reference relative": ("sqlite3-fk-wal", "file:x.db?_txlock=immediate", "sqlite:///{folder}/x.db"),
    "reference absolute": ("sqlite3-fk-wal", "file:/a/x.db?_txlock=immediate", "sqlite:////a/x.db"),
    "reference as a URL": ("sqlite3-fk-wal", "file:///a/x.db?_txlock=immediate", "sqlite:////a/x.db"),
    "reference bare name": ("sqlite3-fk-wal", "x.db", "sqlite:///{folder}/x.db"),
    "reference without type": ("", "file:x.db", "sqlite:///{folder}/x.db"),
    "type and our form": ("sqlite3", "sqlite:///x.db", "sqlite:///{folder}/x.db"),
    "postgres": ("", "postgresql://u:p@h/d", "postgresql://u:p@h/d"),
    "reference postgres": (
        "postgres",
        "postgres://u:p@h/d?sslmode=disable",
        "postgresql://u:p@h/d?sslmode=disable",
    ),
    "socket": ("postgres", "postgres:///d?host=/run/pg", "postgresql:///d?host=/run/pg"),
}


@pytest.mark.parametrize(("kind", "uri", "expected"), DATABASES.values(), ids=DATABASES.keys())
def test_database_is_named_in_one_form(tmp_path: Path, kind: str, uri: str, expected: str) -> None:
    text = SMALLEST + f"database:\n    type: {kind}\n    uri: {uri}\n"
    assert read_text_as_config(tmp_path, text).config.database.uri == expected.format(folder=tmp_path)


WRONG_DATABASES = {
    "type unknown": ("mysql", "sqlite:///x", "database.type: must be postgres or sqlite3-fk-wal"),
    "type a list": ("[postgres]", "sqlite:///x", "database.type: must be postgres or sqlite3-fk-wal"),
    "type of another": ("postgres", "file:x.db", "database.type: is postgres, but the uri is of another database"),
    "sqlite with a server": ("sqlite3-fk-wal", "postgres://h/d", "database.type: is sqlite3-fk-wal, but"),
    "port no number": ("postgres", "postgres://h:x/d", "database.uri: must start with sqlite:///"),
    "uri a number": ("postgres", "5", "database.uri: must be text, not a number"),
}


@pytest.mark.parametrize(("kind", "uri", "problem"), WRONG_DATABASES.values(), ids=WRONG_DATABASES.keys())
def test_database_that_cannot_be_is_named(tmp_path: Path, kind: str, uri: str, problem: str) -> None:
    (found,) = problems_of(tmp_path, SMALLEST + f"database:\n    type: {kind}\n    uri: {uri}\n")
    assert found.startswith(problem)
