"""Every wrong value is named by its key, with what it must be."""

from __future__ import annotations

from pathlib import Path

import pytest

from mautrix_whatsapp_py.errors import ExitCode
from tests.unit.config.samples import SMALLEST, error_of, with_line

WRONG = {
    "number for text": (
        "homeserver",
        "domain: 5",
        "domain",
        "must be text, not a number; put it in quotes",
    ),
    "date for text": (
        "network",
        "os_name: 2020-01-01",
        "os_name",
        "must be text, not a date",
    ),
    "text for number": (
        "database",
        "max_open_conns: many",
        "max_open_conns",
        "must be a whole number, not text",
    ),
    "truth for number": (
        "database",
        "max_open_conns: yes",
        "max_open_conns",
        "must be a whole number, not text",
    ),
    "number for truth": (
        "encryption",
        "allow: 1",
        "allow",
        "must be true or false, not a number",
    ),
    "list for group": (
        "appservice",
        "bot: [a]",
        "bot",
        "must be a group of keys, not a list",
    ),
    "text for list": (
        "whatsapp",
        "host_command: x",
        "host_command",
        "must be a list of texts, not text",
    ),
    "number in list": (
        "whatsapp",
        "host_command: [1]",
        "host_command",
        "must be text, not a number; put it in quotes",
    ),
    "empty word": (
        "whatsapp",
        'host_command: [""]',
        "host_command",
        "must hold no empty word; leave the list empty for the default",
    ),
    "levels of nobody": (
        "bridge",
        "power_level_overrides: {alice: 50}",
        "power_level_overrides.alice",
        "is no user id; write it like @name:example.com",
    ),
    "no level": (
        "bridge",
        'power_level_overrides: {"@a:b.test": high}',
        "power_level_overrides.@a:b.test",
        "must be a whole number, not text",
    ),
    "levels in a list": (
        "bridge",
        "power_level_overrides: [50]",
        "power_level_overrides",
        "must map user ids to power levels, not a list",
    ),
    "template of names": (
        "network",
        "displayname_template: WA",
        "displayname_template",
        "must say who it is, for example {{.PushName}}",
    ),
    "no choice": (
        "logging",
        "format: xml",
        "format",
        "must be one of: text, json",
    ),
    "other server": (
        "homeserver",
        "software: hungry",
        "software",
        "must be one of: standard",
    ),
    "range": (
        "whatsapp",
        "sessions_per_host: 0",
        "sessions_per_host",
        "must be from 1 to 1000",
    ),
    "scheme": (
        "database",
        "uri: mysql://x",
        "uri",
        "must start with sqlite:/// and a path, or be postgresql://user:password@host/database",
    ),
    "no file": (
        "database",
        "uri: 'sqlite:///'",
        "uri",
        "names no file; write sqlite:///whatsapp.db for example",
    ),
    "prefix": (
        "bridge",
        "command_prefix: 'a b'",
        "command_prefix",
        "must be one word, for example !wa",
    ),
    "endpoint": (
        "homeserver",
        "status_endpoint: here",
        "status_endpoint",
        "must be a URL that starts with http:// or https://, or null",
    ),
    "proxy": (
        "network",
        "proxy: 127.0.0.1:80",
        "proxy",
        "must start with http://, https:// or socks5://, or be null for none",
    ),
    "avatar": (
        "appservice",
        "bot: {avatar: x.png}",
        "bot.avatar",
        "must start with mxc://, or be null for none",
    ),
    "bot name": (
        "appservice",
        "bot: {username: Big Bot}",
        "bot.username",
        "may hold only a-z, 0-9 and . _ = / + -",
    ),
    "template without person": (
        "appservice",
        "username_template: wa",
        "username_template",
        "must contain {{.}}, which stands for the WhatsApp user",
    ),
    "template of everybody": (
        "appservice",
        "username_template: '{{.}}'",
        "username_template",
        "needs text beside {{.}}, of a-z, 0-9 and . _ = / + -",
    ),
    "template fits bot": (
        "appservice",
        "username_template: 'whatsapp{{.}}'",
        "username_template",
        "also fits the bot's username; choose one that does not",
    ),
    "listening nowhere": (
        "appservice",
        "hostname: ''",
        "hostname",
        "must name the address to listen on, for example 127.0.0.1",
    ),
    "no id": (
        "appservice",
        "id: ''",
        "id",
        "must not be empty",
    ),
    "no url": (
        "appservice",
        "address: bridge",
        "address",
        "must be the URL under which your Matrix server reaches the bridge",
    ),
    "no name": (
        "network",
        "os_name: ' '",
        "os_name",
        "must not be empty",
    ),
}


@pytest.mark.parametrize(("section", "line", "key", "text"), WRONG.values(), ids=WRONG.keys())
def test_wrong_value_is_named_with_its_mend(tmp_path: Path, section: str, line: str, key: str, text: str) -> None:
    base = SMALLEST.replace("    domain: localhost\n", "") if line.startswith("domain") else SMALLEST
    error = error_of(tmp_path, with_line(section, line, base))
    assert error.problems == (f"{section}.{key}: {text}",)
    assert error.code is ExitCode.CONFIG_INVALID
