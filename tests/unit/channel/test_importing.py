"""Configurations of other programs become ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from mautrix_whatsapp_py.channel.importing import import_text
from mautrix_whatsapp_py.cli.channel_run import read_config
from mautrix_whatsapp_py.cli.entry import main
from mautrix_whatsapp_py.config.channel import DmPolicy
from mautrix_whatsapp_py.errors import CommandError, ExitCode

GATEWAY = """
// a gateway
{
  channels: {
    whatsapp: {
      dmPolicy: "pairing", // unknown senders
      allowFrom: ["+15551234567"],
      groupPolicy:"allowlist",
      groupAllowFrom: ['+15551234567'],
      groups: { "*": { requireMention: true, tools: {} } },
      ackReaction: { emoji: "👀", direct: true, group: "mentions" },
      textChunkLimit: 3000, chunkMode: "newline", mediaMaxMb: 20,
      dms: { "+15551234567": { historyLimit: 5 } },
      actions: { reactions: true, polls: false },
      blockStreaming: true,
      accounts: { Work: { dmPolicy: "disabled", authDir: "~/.creds/work" } },
    },
    telegram: { botToken: "123:abc" },
  },
  messages: { responsePrefix: "[bot]", groupChat: { mentionPatterns: ["@bot\\\\b"], historyLimit: 10 } },
  session: { dmScope: "per-peer" },
  web: { heartbeatSeconds: 30, reconnect: { initialMs: 1000, maxAttempts: 5 } },
  agents: { list: [] }, /* nothing
  of ours: */
}
"""
PERSONAL = """
[whatsapp_personal]
enabled = true
bridge_url = "http://127.0.0.1:39731/bridge"
allowed_chat_ids = ["*"]
auth_dir = "/home/me/auth"

[whatsapp_personal.accounts.home]
enabled = true
bridge_url = "http://127.0.0.1:39732/bridge"
allowed_chat_ids = ["+15551234567"]
"""


def test_a_gateway_is_carried_over() -> None:
    found = import_text(GATEWAY, is_toml=False)
    assert found.keys == {
        "enabled": True,
        "dm_policy": "pairing",
        "allow_from": ["+15551234567"],
        "group_policy": "allowlist",
        "group_allow_from": ["+15551234567"],
        "groups": {"*": {"require_mention": True}},
        "ack_reaction": {"emoji": "👀", "direct": True, "group": "mentions"},
        "text_chunk_limit": 3000,
        "chunk_mode": "newline",
        "media_max_mb": 20,
        "dms": {"+15551234567": {"history_limit": 5}},
        "actions": {"reactions": True, "polls": False},
        "accounts": {"work": {"dm_policy": "disabled"}},
        "response_prefix": "[bot]",
        "mention_patterns": ["@bot\\b"],
        "history_limit": 10,
        "session": {"dm_scope": "per_contact"},
        "web": {"heartbeat_seconds": 30, "reconnect": {"initial_ms": 1000, "max_attempts": 5}},
    }
    assert [line.partition(":")[0] for line in found.left] == [
        "channels.whatsapp.groups.*.tools",
        "channels.whatsapp.blockStreaming",
        "channels.whatsapp.accounts.Work.authDir",
        "agents",
    ]


def test_a_personal_bridge_is_carried_over() -> None:
    found = import_text(PERSONAL, is_toml=True)
    assert found.keys == {
        "enabled": True,
        "bridge_url": "http://127.0.0.1:39731/bridge",
        "allowed_chat_ids": ["*"],
        "accounts": {"home": {"enabled": True, "allowed_chat_ids": ["+15551234567"]}},
    }
    assert [line.partition(":")[0] for line in found.left] == [
        "whatsapp_personal.auth_dir",
        "whatsapp_personal.accounts.home.bridge_url",
    ]


SPELLINGS = {
    "{channels:{whatsapp:{responsePrefix:'it\\'s'}}}": "it's",
    "{channels:{whatsapp:{responsePrefix:'say \"x\" \\\\ \\n'}}}": 'say "x" \\ \n',
    '{channels:{whatsapp:{responsePrefix:"a://b, {c} /* no */ // x"}}}': "a://b, {c} /* no */ // x",
    '{\n\tchannels: {\n\t\twhatsapp: {\n\t\t\tresponsePrefix: "tabs",\n\t\t},\n\t},\n}': "tabs",
    "\ufeff{channels:{whatsapp:{responsePrefix:'\u00e9\\u00e9'}}}": "éé",
}


@pytest.mark.parametrize("text", SPELLINGS)
def test_json5_may_be_spelled_in_many_ways(text: str) -> None:
    assert import_text(text, is_toml=False).keys["response_prefix"] == SPELLINGS[text]


OTHERS = [("{", False), ("[", True), ("{}", False), ("x = 1", True), ("1", False)]


@pytest.mark.parametrize(("text", "is_toml"), OTHERS)
def test_other_files_are_refused(text: str, is_toml: bool) -> None:
    with pytest.raises(CommandError):
        import_text(text, is_toml=is_toml)


def test_the_command_writes_a_configuration_that_can_be_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, config = tmp_path / "gateway.json5", tmp_path / "config.yaml"
    source.write_text(GATEWAY)
    assert main(["channel", "import", "-c", str(config), str(source)]) == 0
    assert "not carried over: agents" in capsys.readouterr().out
    channel = read_config(config).channel
    assert (channel.enabled, channel.allow_from, channel.of_account("work").dm_policy) == (
        True,
        ("+15551234567",),
        DmPolicy.DISABLED,
    )
    personal = tmp_path / "loong.toml"
    personal.write_text(PERSONAL)
    config.write_text("# mine\n" + config.read_text())
    assert main(["channel", "import", "-c", str(config), str(personal), "--json"]) == 0
    assert '"left": ["whatsapp_personal.auth_dir' in capsys.readouterr().out
    after = config.read_text()
    assert after.startswith("# mine\n")
    assert "# What is logged, how and where." in after
    assert read_config(config).channel.allow_from == ()
    assert (tmp_path / "config.yaml.bak").exists()


def test_a_configuration_that_makes_no_sense_is_not_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, config = tmp_path / "gateway.json5", tmp_path / "config.yaml"
    source.write_text('{channels: {whatsapp: {dmPolicy: "open", allowFrom: ["me"]}}}')
    assert main(["channel", "import", "-c", str(config), str(source)]) == ExitCode.CONFIG_INVALID
    said = capsys.readouterr().err
    assert "channel.allow_from" in said
    assert "channel.dm_policy" in said
    assert not config.exists()
