"""Every key of `channel:` has a test named after it; here are those that need no channel."""

from __future__ import annotations

import dataclasses
import stat
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from mautrix_whatsapp_py.app.channel import auth_folder, ensure_folder, ensure_token, require_sound
from mautrix_whatsapp_py.channel.accounts import Accounts
from mautrix_whatsapp_py.channel.checks import find_problems
from mautrix_whatsapp_py.config.channel import (
    ChannelAccount,
    ChannelAccounts,
    ChannelReconnect,
    ChannelSection,
    ChannelWeb,
    Webhook,
)
from mautrix_whatsapp_py.errors import ConfigError
from mautrix_whatsapp_py.ids import LoginId
from tests.flow.channel_desk import LOGIN

ROOT = Path(__file__).resolve().parents[2]


def problems_of(**keys: Any) -> tuple[str, ...]:
    return tuple(problem.partition(":")[0] for problem in find_problems(ChannelSection(enabled=True, **keys)))


def test_every_key_has_its_test() -> None:
    named = {name for path in (*ROOT.glob("flow/test_channel_*.py"), Path(__file__)) for name in _names_in(path)}
    keys = [field.name for kind in (ChannelAccount, ChannelSection) for field in dataclasses.fields(kind)]
    assert [
        key for key in dict.fromkeys(keys) if not any(name.startswith(f"test_key_{key}") for name in named)
    ] == []


def _names_in(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.split("def ")[1].split("(")[0] for line in lines if "def test_" in line]


def test_key_accounts_default_and_order() -> None:
    def accounts(*names: str) -> Accounts:
        entries = {name: ChannelAccount(enabled=True) for name in names}
        section = ChannelSection(enabled=True, accounts=ChannelAccounts(MappingProxyType(entries)))
        return Accounts(section, lambda: [LoginId(LOGIN)])

    assert accounts("b", "default", "a").default == "default"
    assert accounts("b", "a").default == "a"
    assert accounts().default == "default"


def test_key_web_ranges() -> None:
    assert problems_of(web=ChannelWeb(heartbeat_seconds=0)) == ("channel.web.heartbeat_seconds",)
    assert problems_of(web=ChannelWeb(stall_minutes=-1)) == ("channel.web.stall_minutes",)
    odd = ChannelReconnect(initial_ms=0, max_ms=0, factor=0.5, jitter=2, max_attempts=-1)
    assert len(problems_of(web=ChannelWeb(reconnect=odd))) == 5


def test_key_auth_dir_and_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WHATSAPP_PERSONAL_AUTH_DIR", raising=False)
    assert auth_folder(ChannelSection()) is None
    assert auth_folder(ChannelSection(auth_dir=str(tmp_path))) == tmp_path
    monkeypatch.setenv("WHATSAPP_PERSONAL_AUTH_DIR", "/from/environment")
    assert auth_folder(ChannelSection(auth_dir=str(tmp_path))) == Path("/from/environment")
    own = ChannelAccounts(MappingProxyType({"work": ChannelAccount(auth_dir="/elsewhere")}))
    assert problems_of(accounts=own) == ("channel.accounts.work.auth_dir",)
    made = ensure_folder(tmp_path / "new")
    assert stat.S_IMODE(made.stat().st_mode) == 0o700


def test_key_auth_dir_env(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_FOLDER", "/mine")
    assert auth_folder(ChannelSection(auth_dir_env="MY_FOLDER")) == Path("/mine")


def test_key_bridge_url_and_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHATSAPP_PERSONAL_BRIDGE_URL", "http://127.0.0.1:4000/x")
    assert require_sound(ChannelSection()).bridge_url == "http://127.0.0.1:4000/x"
    monkeypatch.setenv("WHATSAPP_PERSONAL_BRIDGE_URL", "http://0.0.0.0:4000/x")
    with pytest.raises(ConfigError, match="bridge_url"):
        require_sound(ChannelSection())


def test_key_bridge_url_env(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_URL", "http://localhost:4001/y")
    assert require_sound(ChannelSection(bridge_url_env="MY_URL")).bridge_url == "http://localhost:4001/y"


@pytest.mark.parametrize(
    "url", ["http://0.0.0.0:1/b", "http://192.168.1.2:1/b", "http://example.com/b", "ftp://x", ""]
)
def test_key_allow_non_loopback(url: str) -> None:
    assert problems_of(bridge_url=url) == ("channel.bridge_url",)
    is_web = url.startswith("http")
    assert problems_of(bridge_url=url, allow_non_loopback=True) == (() if is_web else ("channel.bridge_url",))


def test_key_token(tmp_path: Path) -> None:
    assert problems_of(token="short") == ("channel.token",)
    token = ensure_token(tmp_path)
    assert len(token) >= 32
    assert ensure_token(tmp_path) == token
    assert stat.S_IMODE((tmp_path / "channel-token").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ({"url": "ftp://x"}, "url"),
        ({"url": "http://"}, "url"),
        ({"secret": "short"}, "secret"),
        ({"events": ("votes",)}, "events"),
        ({"accounts": ("nobody",)}, "accounts"),
        ({"headers": {"a b": "c"}}, "headers"),
        ({"headers": {"a": "c\r\nd: e"}}, "headers"),
    ],
)
def test_key_webhooks(keys: dict[str, Any], path: str) -> None:
    sound = {"url": "https://w.example/x", "secret": "a-long-secret-for-tests"}
    assert problems_of(webhooks=(Webhook(**sound),)) == ()
    assert problems_of(webhooks=(Webhook(**{**sound, **keys}),)) == (f"channel.webhooks.1.{path}",)
    assert problems_of(webhooks=(Webhook(**sound), Webhook(**sound))) == ("channel.webhooks.2.url",)


def test_key_webhook_max_age_hours() -> None:
    assert problems_of(webhook_max_age_hours=0) == ("channel.webhook_max_age_hours",)
