"""What a well-formed configuration must still satisfy."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from mautrix_whatsapp_py.config.durations import decode_duration
from mautrix_whatsapp_py.config.findings import Findings
from mautrix_whatsapp_py.config.name_template import BadTemplate, decode_template
from mautrix_whatsapp_py.config.permissions import EVERYBODY, PermissionLevel, Permissions
from mautrix_whatsapp_py.config.relay_template import NAME_FIELDS, decode_relay_template
from mautrix_whatsapp_py.config.schema import KeyPath
from mautrix_whatsapp_py.config.tree import (
    GHOST_ID,
    SQLITE,
    TOKEN_PLACEHOLDER,
    AppserviceSection,
    BridgeSection,
    Config,
    DatabaseSection,
    DoublePuppetSection,
    EncryptionSection,
    HomeserverSection,
    NetworkSection,
    RelaySection,
    WhatsappSection,
)
from mautrix_whatsapp_py.errors import ExitCode

EXAMPLE_DOMAIN = "example.com"
EXAMPLE_AS_TOKEN = "example-as-token-generate-your-own"  # noqa: S105  published with the example
EXAMPLE_HS_TOKEN = "example-hs-token-generate-your-own"  # noqa: S105  published with the example
UNUSABLE_TOKENS = frozenset({"", TOKEN_PLACEHOLDER, EXAMPLE_AS_TOKEN, EXAMPLE_HS_TOKEN})
POSTGRES = "postgresql://"
MIN_SECRET_LENGTH = 16

_TAKEN_PATHS = ("/_matrix/app", "/_matrix/mau", "/transactions", "/users", "/rooms", "/login", "/.")
_SERVER_NAME = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")
_LOCALPART = re.compile(r"[a-z0-9._=/+-]+")
_WORD = re.compile(r"\S+")
_TOKEN = re.compile(r"[\x21-\x7e]+")


def check_rules(
    config: Config, findings: Findings, *, is_for_registration: bool, is_without_matrix: bool = False
) -> None:
    """Record what is unset or senseless; a registration can be made without tokens and permissions."""
    if is_without_matrix:
        # The channel alone: nothing else of the configuration is looked at.
        _check_database(config.database, findings)
        return
    _check_domain(config.homeserver, findings)
    _check_appservice(config.appservice, findings)
    _check_numbers(config, findings)
    _check_encryption(config.encryption, findings)
    _check_database(config.database, findings)
    _check_texts(config.bridge, config.network, config.whatsapp, findings)
    _check_subjects(config.bridge.permissions, findings)
    _check_endpoints(config.homeserver, findings)
    _check_provisioning(config, findings)
    if re.fullmatch(r"(\S*):(\d{1,5})", config.metrics.listen) is None:
        findings.add(("metrics", "listen"), "must be an address and a port like 127.0.0.1:8001")
    _check_double_puppets(config.double_puppet, config.homeserver.domain, findings)
    if not is_for_registration:
        _check_address(config.homeserver, findings)
        _check_tokens(config.appservice, findings)
        _check_somebody_may_log_in(config.bridge.permissions, findings)


def _check_domain(section: HomeserverSection, findings: Findings) -> None:
    path = ("homeserver", "domain")
    if section.domain in ("", EXAMPLE_DOMAIN):
        text = "is not set; give the part of your Matrix user id behind the colon"
        findings.add(path, text, code=ExitCode.DOMAIN_UNSET)
    elif _SERVER_NAME.fullmatch(section.domain) is None:
        findings.add(path, "is no server name; give the part of your Matrix user id behind the colon")


def _check_address(section: HomeserverSection, findings: Findings) -> None:
    path = ("homeserver", "address")
    host = _host_of(section.address)
    if not section.address or f".{host}".endswith(f".{EXAMPLE_DOMAIN}"):
        findings.add(path, "is not set; give the URL under which the bridge reaches your Matrix server")
    elif host is None:
        findings.add(path, "must be a URL that starts with http:// or https://")


def _check_endpoints(section: HomeserverSection, findings: Findings) -> None:
    for name in ("status_endpoint", "message_send_checkpoint_endpoint"):
        value = getattr(section, name)
        if value is not None and _host_of(value) is None:
            findings.add(("homeserver", name), "must be a URL that starts with http:// or https://, or null")


def _check_double_puppets(section: DoublePuppetSection, domain: str, findings: Findings) -> None:
    here = "double_puppet"
    for server, url in section.servers.items():
        if _host_of(url) is None:
            findings.add((here, "servers", server), "must be a URL that starts with http:// or https://")
    for server, secret in section.secrets.items():
        kind, _, token = secret.partition(":")
        if kind != "as_token" or _TOKEN.fullmatch(token) is None:
            text = "must be as_token: and the token, as --double-puppet-registration writes it"
            findings.add((here, "secrets", server), text)
        elif server != domain and server not in section.servers:
            findings.add((here, "secrets", server), "needs the URL of that server in double_puppet.servers")


def _check_provisioning(config: Config, findings: Findings) -> None:
    section, address = config.provisioning, config.appservice.public_address
    if address is not None and _host_of(address) is None:
        findings.add(
            ("appservice", "public_address"), "must be a URL that starts with http:// or https://, or null"
        )
    if re.fullmatch(r"(/[\w.~-]+)+", section.prefix) is None or section.prefix.startswith(_TAKEN_PATHS):
        findings.add(
            ("provisioning", "prefix"), "must be a path of its own like /_matrix/provision, without a / at its end"
        )
    if section.usable_secret is not None and len(section.shared_secret) < MIN_SECRET_LENGTH:
        findings.add(
            ("provisioning", "shared_secret"),
            f"must have {MIN_SECRET_LENGTH} characters or more; write generate to have one made, or disable",
        )


def _check_appservice(section: AppserviceSection, findings: Findings) -> None:
    here = "appservice"
    if _host_of(section.address) is None:
        findings.add((here, "address"), "must be the URL under which your Matrix server reaches the bridge")
    if not section.hostname:
        findings.add((here, "hostname"), "must name the address to listen on, for example 127.0.0.1")
    if not section.id:
        findings.add((here, "id"), "must not be empty")
    if _LOCALPART.fullmatch(section.bot.username) is None:
        findings.add((here, "bot", "username"), "may hold only a-z, 0-9 and . _ = / + -")
    if section.bot.avatar is not None and not section.bot.avatar.startswith("mxc://"):
        findings.add((here, "bot", "avatar"), "must start with mxc://, or be null for none")
    _check_username_template(section, findings)


def _check_username_template(section: AppserviceSection, findings: Findings) -> None:
    path = ("appservice", "username_template")
    before, found, after = section.username_template.partition(GHOST_ID)
    if not found:
        findings.add(path, f"must contain {GHOST_ID}, which stands for the WhatsApp user")
    elif _LOCALPART.fullmatch(before + after) is None:
        findings.add(path, f"needs text beside {GHOST_ID}, of a-z, 0-9 and . _ = / + -")
    elif re.fullmatch(f"{re.escape(before)}.*{re.escape(after)}", section.bot.username):
        findings.add(path, "also fits the bot's username; choose one that does not")


def _check_tokens(section: AppserviceSection, findings: Findings) -> None:
    for name in ("as_token", "hs_token"):
        token = getattr(section, name)
        if token in UNUSABLE_TOKENS:
            findings.add(("appservice", name), "is not set; run the bridge once with --generate-registration")
        elif _TOKEN.fullmatch(token) is None:
            findings.add(("appservice", name), "must be one word of plain characters; take a long random one")


def _check_numbers(config: Config, findings: Findings) -> None:
    ranges: tuple[tuple[KeyPath, int, int, int], ...] = (
        (("homeserver", "retry_limit"), config.homeserver.retry_limit, 0, 100),
        (("appservice", "port"), config.appservice.port, 1, 65535),
        (("appservice", "max_body_size_mb"), config.appservice.max_body_size_mb, 1, 1024),
        (("bridge", "outbox_expiry_hours"), config.bridge.outbox_expiry_hours, 1, 8760),
        (("database", "max_open_conns"), config.database.max_open_conns, 1, 1000),
        (("encryption", "rotation", "milliseconds"), config.encryption.rotation.milliseconds, 60_000, 10**12),
        (("encryption", "rotation", "messages"), config.encryption.rotation.messages, 1, 10_000),
        (("whatsapp", "sessions_per_host"), config.whatsapp.sessions_per_host, 1, 1000),
        (("backfill", "max_initial_messages"), config.backfill.max_initial_messages, -1, 1_000_000),
        (("backfill", "max_initial_days"), config.backfill.max_initial_days, -1, 36_500),
        (("backfill", "max_catchup_messages"), config.backfill.max_catchup_messages, -1, 1_000_000),
        (("backfill", "unread_hours_threshold"), config.backfill.unread_hours_threshold, -1, 1_000_000),
        (("history", "keep"), config.history.keep, 0, 3650),
    )
    for path, value, lowest, highest in ranges:
        if not lowest <= value <= highest:
            findings.add(path, f"must be from {lowest} to {highest}")


def _check_encryption(section: EncryptionSection, findings: Findings) -> None:
    if not section.pickle_key:
        findings.add(("encryption", "pickle_key"), "must be a long random text, or generate")
    for name in ("default", "require"):
        if getattr(section, name) and not section.allow:
            findings.add(("encryption", name), "needs encryption.allow")


def _check_database(section: DatabaseSection, findings: Findings) -> None:
    path = ("database", "uri")
    if section.uri.startswith(SQLITE):
        if not section.uri.removeprefix(SQLITE).partition("?")[0].strip("/"):
            findings.add(path, f"names no file; write {SQLITE}whatsapp.db for example")
    elif not section.uri.startswith(POSTGRES) or _is_no_url(section.uri):
        findings.add(path, f"must start with {SQLITE} and a path, or be {POSTGRES}user:password@host/database")


def _check_texts(
    bridge: BridgeSection, network: NetworkSection, whatsapp: WhatsappSection, findings: Findings
) -> None:
    if _WORD.fullmatch(bridge.command_prefix) is None:
        findings.add(("bridge", "command_prefix"), "must be one word, for example !wa")
    try:
        decode_template(network.displayname_template)
    except BadTemplate as problem:
        findings.add(("network", "displayname_template"), str(problem))
    _check_relay(bridge.relay, findings)
    if not network.os_name.strip():
        findings.add(("network", "os_name"), "must not be empty")
    if network.proxy is not None and _proxy_scheme(network.proxy) not in ("http", "https", "socks5"):
        findings.add(("network", "proxy"), "must start with http://, https:// or socks5://, or be null for none")
    try:
        decode_duration(network.history_sync.dispatch_wait)
    except ValueError:
        findings.add(("network", "history_sync", "dispatch_wait"), "must be a length of time, like 10s or 1m")
    if not all(whatsapp.host_command):
        findings.add(("whatsapp", "host_command"), "must hold no empty word; leave the list empty for the default")


def _check_relay(section: RelaySection, findings: Findings) -> None:
    here = ("bridge", "relay")
    for kind, text in section.message_formats.items():
        try:
            fields = decode_relay_template(text).fields
        except BadTemplate as problem:
            findings.add((*here, "message_formats", kind), str(problem))
            continue
        if not fields & {"Message", "Caption"}:
            findings.add(
                (*here, "message_formats", kind), "must show what is said: {{ .Message }} or {{ .Caption }}"
            )
        if not any(name.startswith("Sender.") for name in fields):
            findings.add(
                (*here, "message_formats", kind), "must show who says it: {{ .Sender.DisambiguatedName }}"
            )
    try:
        decode_relay_template(section.displayname_format, NAME_FIELDS)
    except BadTemplate as problem:
        findings.add((*here, "displayname_format"), str(problem))
    for number in section.default_relays:
        if not number.isascii() or not number.isdigit():
            findings.add((*here, "default_relays"), "holds phone numbers of accounts, digits only, in quotes")


def _check_subjects(permissions: Permissions, findings: Findings) -> None:
    for subject in permissions.by_subject:
        localpart, colon, server = subject.removeprefix("@").partition(":")
        is_user = subject.startswith("@") and bool(localpart and colon) and _SERVER_NAME.fullmatch(server)
        is_server = not subject.startswith("@") and _SERVER_NAME.fullmatch(subject)
        if not (subject == EVERYBODY or is_user or is_server):
            findings.add(("bridge", "permissions", subject), "is no user id, no server name and not *")


def _check_somebody_may_log_in(permissions: Permissions, findings: Findings) -> None:
    able = [
        subject
        for subject, permission in permissions.by_subject.items()
        if permission.level >= PermissionLevel.USER and subject.rpartition(":")[2] != EXAMPLE_DOMAIN
    ]
    is_readable = not any(path.startswith("bridge.permissions") for path in findings.problems)
    if is_readable and not able:
        text = "let nobody use the bridge; give your user id the level admin or your server the level user"
        findings.add(("bridge", "permissions"), text)


def _host_of(url: str) -> str | None:
    if _is_no_url(url):
        return None
    parts = urlsplit(url)
    return parts.hostname if parts.scheme in ("http", "https") else None


def _proxy_scheme(url: str) -> str | None:
    return None if _is_no_url(url) or not urlsplit(url).hostname else urlsplit(url).scheme


def _is_no_url(url: str) -> bool:
    try:
        _ = urlsplit(url).port
    except ValueError:
        return True
    return bool(re.search(r"\s", url))
