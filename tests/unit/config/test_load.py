"""A configuration is read whole, or refused with everything that is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mautrix_whatsapp_py.config import Config, LogLevel, PermissionLevel, StatusNotices, load
from mautrix_whatsapp_py.config.document import parse_yaml
from mautrix_whatsapp_py.config.schema import fields_of
from mautrix_whatsapp_py.errors import ConfigError, ExitCode
from mautrix_whatsapp_py.ids import MxUserId
from tests.unit.config.samples import SMALLEST, error_of, problems_of, read_text_as_config, with_line

ROOT = Path(__file__).resolve().parents[3]


def test_smallest_configuration_takes_every_default(tmp_path: Path) -> None:
    loaded = read_text_as_config(tmp_path, SMALLEST)
    config = loaded.config
    assert loaded.ignored == ()
    assert config.homeserver.address == "http://127.0.0.1:8008"
    assert config.appservice.port == 29318
    assert config.bridge.bridge_status_notices is StatusNotices.ERRORS
    assert config.logging.min_level is LogLevel.INFO
    assert config.bot_id == "@whatsappbot:localhost"
    assert config.bridge.permissions.get_permission(MxUserId("@me:localhost")).level is PermissionLevel.ADMIN


EVERYTHING = """
homeserver:
  {address: "https://hs.test/", domain: hs.test, retry_limit: 0, status_endpoint: "https://s.test/x",
   message_send_checkpoint_endpoint: "https://s.test/c"}
appservice:
    address: http://bridge:29318/
    public_address: https://bridge.test/
    hostname: "::"
    port: 1
    id: other
    bot: {username: bot, displayname: Bot, avatar: null}
    ephemeral_events: false
    as_token: a
    hs_token: b
    username_template: "wa_{{.}}_x"
    max_body_size_mb: 1
database: {uri: "postgresql://u:p@h/d", max_open_conns: 9}
bridge:
    command_prefix: "!w"
    bridge_status_notices: none
    bridge_notices: true
    deleted_messages: mark
    outbox_expiry_hours: 1
    mute_bridging: false
    mute_only_on_create: true
    tag_only_on_create: true
    power_level_overrides: {"@x:hs.test": 90}
    cleanup_on_logout: {enabled: true, manual: {private: delete}, bad_credentials: {shared_no_users: kick}}
    relay:
        {enabled: true, admin_only: false, prefer_default: false, default_relays: ["15550001111"],
        user_distinguishers: [], message_formats: {m.text: "{{ .Sender.UserID }}: {{ .Message }}"},
        displayname_format: "{{ .UserID }}"}
    permissions: {"*": block, hs.test: {level: user, max_logins: 2}}
matrix: {message_status_events: true, delivery_receipts: true, message_error_notices: false}
network:
  {displayname_template: "{{.Phone}}", os_name: A, browser_name: edge, proxy: "socks5://127.0.0.1:1080",
   status_broadcast_tag: null, pinned_tag: u.pin, archive_tag: null,
   extev_polls: false, history_sync: {dispatch_wait: 1m30s}}
backfill: {enabled: false, max_initial_messages: -1, max_initial_days: 1, max_catchup_messages: 2}
history: {keep: 0}
whatsapp: {host_command: [python, -m, host], sessions_per_host: 1, session_folder: s}
cluster: {enabled: false, worker: a, lease_ttl: 20, weight: 2}
double_puppet: {servers: {o.test: "https://o.test"}, secrets: {hs.test: "as_token:c", o.test: "as_token:d"}}
metrics: {enabled: true, listen: ":9000"}
provisioning: {prefix: /p, shared_secret: disable, allow_matrix_auth: false, login_page: false}
encryption:
    allow: true
    default: true
    require: true
    appservice: true
    msc4190: false
    self_sign: true
    key_backup: false
    allow_key_sharing: false
    pickle_key: mine
    rotation: {enable_custom: true, milliseconds: 60000, messages: 5, disable_device_change_key_rotation: true}
    verification_levels: {receive: cross-signed-tofu, send: cross-signed-untrusted, share: unverified}
    delete_keys: {dont_store_outbound: true, periodically_delete_expired: true, delete_outdated_inbound: true}
channel:
    {enabled: true, login: "+14155550001", auth_dir: d, allowed_chat_ids: [], dm_policy: open, allow_from: ["*"],
    group_policy: open, group_allow_from: [], groups: {"*": {require_mention: true}}, mention_patterns: [hal],
    activation: always, self_chat_mode: true, message_prefix: "", response_prefix: "", history_limit: 0,
    dm_history_limit: 1, dms: {"+1": {history_limit: 1}}, session: {dm_scope: per_contact}, debounce_ms: 1,
    text_chunk_limit: 100, chunk_mode: newline, media_max_mb: 1, outbound_media_max_mb: 1,
    send_read_receipts: false, ack_reaction: {emoji: x}, actions: {reactions: false, polls: false},
    config_writes: false,
    web: {enabled: false, heartbeat_seconds: 1, stall_minutes: 1,
    reconnect: {initial_ms: 1, max_ms: 2, factor: 2, jitter: 0.1, max_attempts: 1}},
    bridge_url: "http://127.0.0.1:1/b", bridge_url_env: A, auth_dir_env: B, allow_non_loopback: true, token: t,
    media_roots: [m], webhook_max_age_hours: 1,
    webhooks: [{url: "https://w.test", secret: s, events: [message], accounts: [work], headers: {A: b}}],
    accounts: {work: {enabled: false}}}
logging: {min_level: debug, format: json, file: b.log}
"""


def test_every_value_can_be_set(tmp_path: Path) -> None:
    text = EVERYTHING
    config = read_text_as_config(tmp_path, text).config
    default = Config()
    assert config.homeserver.address == "https://hs.test"
    assert config.appservice.address == "http://bridge:29318"
    assert config.appservice.bot.avatar is None
    assert config.whatsapp.host_command == ("python", "-m", "host")
    assert config.bridge.permissions.get_permission(MxUserId("@x:hs.test")).max_logins == 2
    assert config.network.proxy == "socks5://127.0.0.1:1080"
    unchanged = [name for name in fields_of(Config) if getattr(config, name) == getattr(default, name)]
    assert unchanged == []


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("message_formats: {m.text: '{{ .Message'}", "bridge.relay.message_formats.m.text"),
        (
            "message_formats: {m.text: '{{ .Sender.Nothing }} {{ .Message }}'}",
            "bridge.relay.message_formats.m.text",
        ),
        ("message_formats: {m.text: '{{ .Sender.UserID }}'}", "bridge.relay.message_formats.m.text"),
        ("message_formats: {m.text: '{{ .Message }}'}", "bridge.relay.message_formats.m.text"),
        ("displayname_format: '{{ .Sender.UserID }}'", "bridge.relay.displayname_format"),
        ('default_relays: ["+1555"]', "bridge.relay.default_relays"),
    ],
)
def test_odd_relays_are_named(line: str, path: str, tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, SMALLEST.replace("bridge:\n", f"bridge:\n    relay:\n        {line}\n"))
    assert problem.startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("secrets: {localhost: abc}", "double_puppet.secrets.localhost"),
        ("secrets: {localhost: 'as_token:'}", "double_puppet.secrets.localhost"),
        ("secrets: {far.test: 'as_token:a'}", "double_puppet.secrets.far.test"),
        ("secrets: [a]", "double_puppet.secrets"),
        ("servers: {far.test: 1}", "double_puppet.servers.far.test"),
        ("servers: {far.test: far.test}", "double_puppet.servers.far.test"),
    ],
)
def test_odd_double_puppets_are_named(line: str, path: str, tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, SMALLEST + f"double_puppet:\n    {line}\n")
    assert problem.startswith(f"{path}: ")


def test_relative_paths_count_from_the_folder_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.yaml").write_text(with_line("logging", "file: logs/b.log"))
    monkeypatch.chdir(tmp_path.parent)
    config = load(Path(tmp_path.name) / "config.yaml", {})
    assert config.database.uri == f"sqlite:///{tmp_path}/whatsapp.db"
    assert config.logging.file == f"{tmp_path}/logs/b.log"
    assert config.data_folder == tmp_path
    assert config.session_folder == tmp_path / "sessions"


def test_sessions_lie_beside_the_database(tmp_path: Path) -> None:
    text = with_line("database", "uri: sqlite:////elsewhere/x.db?timeout=3")
    config = read_text_as_config(tmp_path, text).config
    assert config.database.uri == "sqlite:////elsewhere/x.db?timeout=3"
    assert config.session_folder == Path("/elsewhere/sessions")


def test_chosen_session_folder_is_taken(tmp_path: Path) -> None:
    config = read_text_as_config(tmp_path, with_line("whatsapp", "session_folder: /srv/s")).config
    assert config.session_folder == Path("/srv/s")


def test_secrets_are_not_in_the_repr(tmp_path: Path) -> None:
    text = with_line("database", "uri: postgresql://u:pa55word@h/d") + "network:\n    proxy: http://u:s3cret@h\n"
    shown = repr(read_text_as_config(tmp_path, text))
    assert not [secret for secret in ("as-secret", "hs-secret", "pa55word", "s3cret") if secret in shown]


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    text = """
homeserver: {domain: "https://x", adress: x}
appservice: {port: 70000, username_template: whatsapp, ephemeral_events: "yes"}
logging: [debug]
"""
    paths = [problem.split(": ")[0] for problem in problems_of(tmp_path, text)]
    assert sorted(paths) == [
        "appservice.as_token",
        "appservice.ephemeral_events",
        "appservice.hs_token",
        "appservice.port",
        "appservice.username_template",
        "bridge.permissions",
        "homeserver.address",
        "homeserver.adress",
        "homeserver.domain",
        "logging",
    ]


UNSET = {
    "address absent": ("    address: http://127.0.0.1:8008\n", "", "homeserver.address"),
    "address of the example": ("http://127.0.0.1:8008", "https://matrix.example.com", "homeserver.address"),
    "address empty": ("http://127.0.0.1:8008", "''", "homeserver.address"),
    "address no url": ("http://127.0.0.1:8008", "127.0.0.1:8008", "homeserver.address"),
    "domain absent": ("    domain: localhost\n", "", "homeserver.domain"),
    "domain of the example": ("domain: localhost", "domain: example.com", "homeserver.domain"),
    "domain empty": ("domain: localhost", "domain:", "homeserver.domain"),
    "token absent": ("    as_token: as-secret\n", "", "appservice.as_token"),
    "token placeholder": (
        "as-secret",
        "This value is generated when generating the registration",
        "appservice.as_token",
    ),
    "token empty": ("hs-secret", "", "appservice.hs_token"),
    "token of several words": ("hs-secret", "two words", "appservice.hs_token"),
    "nobody": ("admin", "relay", "bridge.permissions"),
    "only the example": ("@me:localhost", "@admin:example.com", "bridge.permissions"),
    "no permissions": ('\n        "@me:localhost": admin', " {}", "bridge.permissions"),
}


@pytest.mark.parametrize(("old", "new", "path"), UNSET.values(), ids=UNSET.keys())
def test_required_value_is_asked_for(tmp_path: Path, old: str, new: str, path: str) -> None:
    assert old in SMALLEST
    error = error_of(tmp_path, SMALLEST.replace(old, new))
    assert [problem.split(":")[0] for problem in error.problems] == [path]
    assert error.code is ExitCode.CONFIG_INVALID


def test_server_that_ends_like_the_example_is_another(tmp_path: Path) -> None:
    text = SMALLEST.replace("http://127.0.0.1:8008", "https://myexample.com")
    assert read_text_as_config(tmp_path, text).config.homeserver.address == "https://myexample.com"


@pytest.mark.parametrize("name", ["as_token", "hs_token"])
def test_tokens_of_the_example_registration_are_refused(tmp_path: Path, name: str) -> None:
    token = parse_yaml((ROOT / "registration.yaml").read_text())[name]
    text = SMALLEST.replace(f"{name[:2]}-secret", token)
    assert text != SMALLEST
    assert problems_of(tmp_path, text) == (
        f"appservice.{name}: is not set; run the bridge once with --generate-registration",
    )


NO_LEVEL = "must be one of: block, relay, commands, user, admin"
PERMISSIONS = {
    "unknown level": ('"@me:localhost": boss', NO_LEVEL),
    "truth": ('"@me:localhost": true', NO_LEVEL),
    "map without level": (
        '"@me:localhost": {max_logins: 1}',
        NO_LEVEL,
    ),
    "map of another bridge": (
        '"@me:localhost": {send_events: true}',
        "has only the keys level and max_logins, not send_events",
    ),
    "negative limit": ('"@me:localhost": {level: user, max_logins: -1}', "max_logins must be 0 or more"),
    "text limit": ('"@me:localhost": {level: user, max_logins: a}', "must be a whole number, not text"),
}


@pytest.mark.parametrize(("entry", "problem"), PERMISSIONS.values(), ids=PERMISSIONS.keys())
def test_wrong_permission_is_named(tmp_path: Path, entry: str, problem: str) -> None:
    text = SMALLEST.replace('"@me:localhost": admin', entry)
    assert problems_of(tmp_path, text) == (f"bridge.permissions.@me:localhost: {problem}",)


@pytest.mark.parametrize("subject", ["@me", "a b", "@:localhost", "http://x", "#a:b"])
def test_permission_of_nobody_is_refused(tmp_path: Path, subject: str) -> None:
    text = SMALLEST + f'        "{subject}": user\n'
    problem = f"bridge.permissions.{subject}: is no user id, no server name and not *"
    assert problems_of(tmp_path, text) == (problem,)


def test_permissions_must_be_a_map(tmp_path: Path) -> None:
    text = SMALLEST.replace('\n        "@me:localhost": admin', " admin")
    assert problems_of(tmp_path, text) == (
        "bridge.permissions: must map user ids, server names or * to levels, not text",
    )


NO_DOCUMENT = {
    "not YAML": ("homeserver: [", "is not valid YAML in line 1, column 14; correct it there"),
    "tab": ("homeserver:\n\tdomain: x", "is not valid YAML in line 2, column 1; correct it there"),
    "twice": ("a: s3cret\na: t0ken\n", "has the same key twice in line 2, column 1; correct it there"),
    "list": ("- a", "holds no sections; compare it with the output of -e -c -"),
    "text": ("just text", "holds no sections; compare it with the output of -e -c -"),
    "not UTF-8": (b"homeserver: \xff", "is not UTF-8 text; save it as UTF-8"),
    "deep": ("[" * 5000, "is not valid YAML"),
    "bad number": ("a: !!int x", "is not valid YAML"),
    "control": ("a: \x07", "is not valid YAML"),
}


@pytest.mark.parametrize(("content", "problem"), NO_DOCUMENT.values(), ids=NO_DOCUMENT.keys())
def test_file_that_is_no_configuration_is_named(tmp_path: Path, content: str | bytes, problem: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert caught.value.code is ExitCode.CONFIG_UNREADABLE
    assert str(caught.value).startswith(f"{path}: {problem}")
    assert "s3cret" not in str(caught.value)


def test_empty_file_is_an_unfilled_configuration(tmp_path: Path) -> None:
    assert len(problems_of(tmp_path, "")) == 5


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist; write one with --generate-example-config") as caught:
        load(tmp_path / "none.yaml", {})
    assert caught.value.code is ExitCode.CONFIG_UNREADABLE


def test_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder"):
        load(tmp_path, {})


def test_path_through_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=f"cannot be read \\({os.strerror(20)}\\)"):
        load(tmp_path / "file" / "config.yaml", {})


def test_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALLEST.replace("\n", "\r\n").encode())
    assert load(path, {}).homeserver.domain == "localhost"
