"""What a well-formed `channel:` section must still satisfy before the channel starts."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from mautrix_whatsapp_py.channel.activation import BadPattern, compile_patterns
from mautrix_whatsapp_py.channel.settings import to_chat_id, to_group_id
from mautrix_whatsapp_py.channel.targets import parse_number
from mautrix_whatsapp_py.config.channel import EVERYBODY, ChannelAccount, ChannelSection, DmPolicy
from mautrix_whatsapp_py.errors import CommandError
from mautrix_whatsapp_py.ids import GROUP_SERVER, decode_jid

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def find_problems(section: ChannelSection) -> tuple[str, ...]:
    """Every problem, as `path: problem`."""
    found = list(_check_url(section))
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
    ranges = (
        ("history_limit", account.history_limit, 0, 1000),
        ("debounce_ms", account.debounce_ms, 0, 60_000),
        ("text_chunk_limit", account.text_chunk_limit, 40, 65_536),
        ("media_max_mb", account.media_max_mb, 1, 2_000),
        ("outbound_media_max_mb", account.outbound_media_max_mb, 1, 100),
        ("web.heartbeat_seconds", account.web.heartbeat_seconds, 1, 86_400),
        ("web.stall_minutes", account.web.stall_minutes, 0, 100_000),
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
    return bool(jid.user) and jid.server in (GROUP_SERVER, "lid")
