"""The registration file: what the Matrix server must know of the bridge."""

from __future__ import annotations

import io
import re
import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass, field

from ruamel.yaml import YAML

from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.config.encryption import EncryptionSection
from mautrix_whatsapp_py.config.tree import GHOST_ID

SENDER_LENGTH = 32
TOKEN_BYTES = 32
_SENDER_LETTERS = string.ascii_lowercase + string.digits


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """The bridge as the Matrix server sees it."""

    id: str
    url: str
    as_token: str = field(repr=False)
    hs_token: str = field(repr=False)
    sender_localpart: str
    user_patterns: tuple[str, ...]
    alias_pattern: str
    wants_ephemeral: bool
    wants_encryption: bool
    wants_msc4190: bool


def new_token() -> str:
    """A token nobody can guess."""
    return secrets.token_hex(TOKEN_BYTES)


def new_sender() -> str:
    """A random user name."""
    return "".join(secrets.choice(_SENDER_LETTERS) for _ in range(SENDER_LENGTH))


def build_registration(
    config: Config,
    *,
    as_token: str,
    hs_token: str,
    new_sender: Callable[[], str] = new_sender,
) -> Registration:
    """The registration of a configuration.

    Its sender is a stranger: Synapse considers the sender registered already, so a bot of that name
    would have no device and no profile.
    """
    patterns = user_patterns(config)
    domain = config.homeserver.domain
    sender = new_sender()
    while any(re.search(pattern, f"@{sender}:{domain}") for pattern in patterns):
        sender = new_sender()
    return Registration(
        id=config.appservice.id,
        url=config.appservice.address,
        as_token=as_token,
        hs_token=hs_token,
        sender_localpart=sender,
        user_patterns=patterns,
        alias_pattern=alias_pattern(config),
        # Keys come the same way.
        wants_ephemeral=config.appservice.ephemeral_events or _takes_keys(config.encryption),
        wants_encryption=config.encryption.allow,
        wants_msc4190=config.encryption.allow and config.encryption.msc4190,
    )


def _takes_keys(section: EncryptionSection) -> bool:
    return section.allow and section.appservice


def encode_doubles_registration(config: Config, *, as_token: str) -> str:
    """The text of a registration that only lets the bridge act as the users of its server."""
    values: dict[str, object] = {
        "id": f"{config.appservice.id}-doublepuppet",
        "url": None,
        "as_token": as_token,
        "hs_token": new_token(),
        "sender_localpart": new_sender(),
        "rate_limited": False,
        "namespaces": {"users": [{"regex": f"@.*:{re.escape(config.homeserver.domain)}", "exclusive": False}]},
    }
    return _dump(values)


def user_patterns(config: Config) -> tuple[str, ...]:
    """Regular expressions of the users that are the bridge's alone: its bot and its ghosts."""
    before, _, after = config.appservice.username_template.partition(GHOST_ID)
    domain = re.escape(config.homeserver.domain)
    bot = re.escape(config.appservice.bot.username)
    return (f"^@{bot}:{domain}$", f"^@{re.escape(before)}.*{re.escape(after)}:{domain}$")


def alias_pattern(config: Config) -> str:
    """Regular expression of the room aliases that are the bridge's alone."""
    before, _, after = config.appservice.username_template.partition(GHOST_ID)
    return f"^#{re.escape(before)}.*{re.escape(after)}:{re.escape(config.homeserver.domain)}$"


def encode_registration(registration: Registration) -> str:
    """The text of the registration file."""
    users = [{"regex": pattern, "exclusive": True} for pattern in registration.user_patterns]
    aliases = [{"regex": registration.alias_pattern, "exclusive": True}]
    values: dict[str, object] = {
        "id": registration.id,
        "url": registration.url,
        "as_token": registration.as_token,
        "hs_token": registration.hs_token,
        "sender_localpart": registration.sender_localpart,
        "rate_limited": False,
        "namespaces": {"users": users, "aliases": aliases},
    }
    if registration.wants_ephemeral:
        values |= {"receive_ephemeral": True, "de.sorunome.msc2409.push_ephemeral": True}
    if registration.wants_encryption:
        values["org.matrix.msc3202"] = True
    if registration.wants_msc4190:
        values["io.element.msc4190"] = True
    return _dump(values)


def _dump(values: dict[str, object]) -> str:
    text = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(values, text)
    return text.getvalue()
