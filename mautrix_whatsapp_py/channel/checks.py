"""What a well-formed `channel:` section must still satisfy before the channel starts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from mautrix_whatsapp_py.channel.activation import BadPattern, compile_patterns
from mautrix_whatsapp_py.channel.settings import to_chat_id, to_group_id
from mautrix_whatsapp_py.channel.targets import DEFAULT_ACCOUNT, parse_number
from mautrix_whatsapp_py.config.channel import EVERYBODY, ChannelAccount, ChannelSection, DmPolicy, HookKind
from mautrix_whatsapp_py.errors import CommandError
from mautrix_whatsapp_py.ids import GROUP_SERVER, decode_jid

MIN_SECRET = 16
_ADDRESS = re.compile(r"[0-9]+(?:-[0-9]+)?")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def find_problems(section: ChannelSection) -> tuple[str, ...]:
    """Every problem, as `path: problem`."""
    found = list(_check_url(section))
    found.extend(_check_webhooks(section))
    found.extend(_check_auth_dir(section))
    found.extend(_check_account("channel", section))
    for name, account in section.accounts.items():
        path = f"channel.accounts.{name}"
        # What an account has from the channel was complained of there.
        known = {problem.partition(".")[2] for problem in found if problem.startswith("channel.")}
        found.extend(
            problem for problem in _check_account(path, account) if problem.removeprefix(f"{path}.") not in known
        )
    return tuple(found)


def _check_url(section: ChannelSection) -> Iterator[str]:
    path = "channel.bridge_url"
    try:
        parts = urlsplit(section.bridge_url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        yield f"{path}: is no URL; write http://127.0.0.1:39731/bridge for example"
        return
    if parts.scheme != "http" or not host:
        yield f"{path}: must begin with http:// and name a host, as http://127.0.0.1:39731/bridge does"
    elif host not in LOOPBACK and not section.allow_non_loopback:
        yield f"{path}: can be reached from other machines; use 127.0.0.1, or set allow_non_loopback to true"
    if section.token is not None and (len(section.token) < 16 or not section.token.isascii()):
        yield "channel.token: must be a word of 16 plain characters or more; take a long random one"


def _check_webhooks(section: ChannelSection) -> Iterator[str]:
    seen: set[str] = set()
    accounts = {EVERYBODY, *(section.accounts or (DEFAULT_ACCOUNT,))}
    for number, hook in enumerate(section.webhooks, start=1):
        path = f"channel.webhooks.{number}"
        if not _is_web_address(hook.url):
            yield f"{path}.url: must begin with https:// or http:// and name a host"
        elif hook.url in seen:
            yield f"{path}.url: is there twice; say in one webhook all that it is told"
        seen.add(hook.url)
        if len(hook.secret) < MIN_SECRET or not hook.secret.isascii():
            yield f"{path}.secret: must be a word of {MIN_SECRET} plain characters or more; take a long random one"
        for kind in hook.events:
            if kind not in (EVERYBODY, *HookKind):
                yield f"{path}.events: {kind!r} is none of {', '.join(HookKind)}, and not *"
        for account in hook.accounts:
            if account not in accounts:
                yield f"{path}.accounts: {account!r} is no account"
        for name, value in hook.headers.items():
            if not _HEADER.fullmatch(name) or not value.isprintable() or not value.isascii():
                yield f"{path}.headers: {name!r} is no header, or its value has characters that headers have not"
    if not 1 <= section.webhook_max_age_hours <= 8760:
        yield "channel.webhook_max_age_hours: must be from 1 to 8760"


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and url.isprintable() and " " not in url


def _check_account(path: str, account: ChannelAccount) -> Iterator[str]:
    yield from _check_names(path, account)
    if account.dm_policy is DmPolicy.OPEN and EVERYBODY not in account.allow_from:
        yield f'{path}.dm_policy: open lets everybody in, which allow_from must say too: add "*" to it'
    if account.login is not None and not _is_number(account.login):
        yield f"{path}.login: is no phone number with country code"
    try:
        compile_patterns(account.mention_patterns)
    except BadPattern as error:
        yield f"{path}.mention_patterns: {error}"
    yield from _check_ranges(path, account)


def _check_auth_dir(section: ChannelSection) -> Iterator[str]:
    for name, account in section.accounts.items():
        if account.auth_dir not in (None, section.auth_dir):
            yield (
                f"channel.accounts.{name}.auth_dir: all accounts keep their sessions in channel.auth_dir; "
                "for a folder of its own run the channel once more with another configuration"
            )


def _check_names(path: str, account: ChannelAccount) -> Iterator[str]:
    for name in ("allow_from", "group_allow_from"):
        for number in getattr(account, name) or ():
            if number != EVERYBODY and not _is_number(number):
                yield f"{path}.{name}: {number!r} is no phone number with country code, and not *"
    for chat in account.allowed_chat_ids:
        if not _is_chat(chat):
            yield f"{path}.allowed_chat_ids: {chat!r} is no number, no address and not *"
    for group in account.groups or ():
        if group != EVERYBODY and not _is_chat(to_group_id(group)):
            yield f"{path}.groups: {group!r} is no group's address and not *"
    for number in account.dms or ():
        if not _is_number(number):
            yield f"{path}.dms: {number!r} is no phone number with country code"


def _check_ranges(path: str, account: ChannelAccount) -> Iterator[str]:
    reconnect = account.web.reconnect
    ranges: tuple[tuple[str, float, int, int], ...] = (
        ("history_limit", account.history_limit, 0, 1000),
        ("debounce_ms", account.debounce_ms, 0, 60_000),
        ("text_chunk_limit", account.text_chunk_limit, 40, 65_536),
        ("media_max_mb", account.media_max_mb, 1, 2_000),
        ("outbound_media_max_mb", account.outbound_media_max_mb, 1, 100),
        ("web.heartbeat_seconds", account.web.heartbeat_seconds, 1, 86_400),
        ("web.stall_minutes", account.web.stall_minutes, 0, 100_000),
        ("web.reconnect.initial_ms", reconnect.initial_ms, 100, 3_600_000),
        ("web.reconnect.max_ms", reconnect.max_ms, 100, 86_400_000),
        ("web.reconnect.factor", reconnect.factor, 1, 100),
        ("web.reconnect.jitter", reconnect.jitter, 0, 1),
        ("web.reconnect.max_attempts", reconnect.max_attempts, 0, 100_000),
    )
    for name, value, lowest, highest in ranges:
        if not lowest <= value <= highest:
            yield f"{path}.{name}: must be from {lowest} to {highest}"


def _is_number(text: str) -> bool:
    try:
        parse_number(text)
    except CommandError:
        return False
    return True


def _is_chat(text: str) -> bool:
    chat = to_chat_id(text)
    if chat == EVERYBODY or chat.isdigit():
        return True
    try:
        jid = decode_jid(chat)
    except ValueError:
        return False
    return _ADDRESS.fullmatch(jid.user) is not None and jid.server in (GROUP_SERVER, "lid")
