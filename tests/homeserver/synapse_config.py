"""Synapse's configuration for tests: everything on, every rate limit off."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SHARED_SECRET = "shared-secret-for-tests"


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteDatabase:
    """One file beside the configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresDatabase:
    """A database on a server, which must have been created with collation C."""

    host: str
    name: str
    user: str = "postgres"
    password: str = ""
    port: int = 5432


SynapseDatabase = SqliteDatabase | PostgresDatabase


def write_config(
    folder: Path,
    *,
    port: int,
    server_name: str,
    database: SynapseDatabase,
    registrations: Sequence[Path],
    overrides: Mapping[str, object],
) -> Path:
    """Write homeserver.yaml (as JSON, which is YAML), the log configuration and, once, the signing key."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        **_places(folder, port, server_name),
        "database": _database(folder, database),
        "app_service_config_files": [str(path) for path in registrations],
        **_behaviour(),
        **_no_rate_limits(),
        **overrides,
    }
    (folder / "log.yaml").write_text(json.dumps(_logging(folder), indent=2))
    key = folder / "signing.key"
    if not key.exists():
        seed = base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")
        key.write_text(f"ed25519 a_test {seed}\n")
    path = folder / "homeserver.yaml"
    path.write_text(json.dumps(document, indent=2))
    return path


def _places(folder: Path, port: int, server_name: str) -> dict[str, object]:
    resources = [{"names": ["client"], "compress": False}]
    listener = {
        "port": port,
        "bind_addresses": ["127.0.0.1"],
        "type": "http",
        "tls": False,
        "resources": resources,
    }
    return {
        "server_name": server_name,
        "public_baseurl": f"http://127.0.0.1:{port}/",
        "listeners": [listener],
        "pid_file": str(folder / "synapse.pid"),
        "log_config": str(folder / "log.yaml"),
        "media_store_path": str(folder / "media"),
        "signing_key_path": str(folder / "signing.key"),
    }


def _database(folder: Path, database: SynapseDatabase) -> dict[str, object]:
    if isinstance(database, SqliteDatabase):
        return {"name": "sqlite3", "args": {"database": str(folder / "homeserver.db")}}
    return {
        "name": "psycopg2",
        "args": {
            "host": database.host,
            "port": database.port,
            "user": database.user,
            "password": database.password,
            "dbname": database.name,
            "cp_min": 2,
            "cp_max": 10,
        },
    }


def _behaviour() -> dict[str, object]:
    return {
        "registration_shared_secret": SHARED_SECRET,
        "macaroon_secret_key": "macaroon",
        "form_secret": "form",
        "report_stats": False,
        "trusted_key_servers": [],
        "federation_domain_whitelist": [],
        "suppress_key_server_warning": True,
        "enable_registration": False,
        # The lowest bcrypt takes: a login in 12 ms instead of 300.
        "bcrypt_rounds": 4,
        "presence": {"enabled": False},
        "url_preview_enabled": False,
        "user_directory": {"enabled": True, "search_all_users": True},
        "max_upload_size": "100M",
        "dynamic_thumbnails": False,
        "filter_timeline_limit": -1,
        # Or two identical /sync calls within two minutes get one cached answer.
        "caches": {"sync_response_cache_duration": "0s"},
        "experimental_features": {
            "msc2409_to_device_messages_enabled": True,
            "msc3202_transaction_extensions": True,
        },
    }


def _no_rate_limits() -> dict[str, object]:
    free = {"per_second": 1e6, "burst_count": 1_000_000}
    single = (
        "rc_message rc_registration rc_registration_token_validity rc_admin_redaction rc_joins_per_room "
        "rc_3pid_validation rc_key_requests rc_media_create rc_delayed_event_mgmt rc_room_creation rc_reports "
        "rc_user_directory"
    )
    return {
        **dict.fromkeys(single.split(), free),
        "rc_login": {"address": free, "account": free, "failed_attempts": free},
        "rc_joins": {"local": free, "remote": free},
        "rc_invites": {"per_room": free, "per_user": free, "per_issuer": free},
        "rc_presence": {"per_user": free},
    }


def _logging(folder: Path) -> dict[str, object]:
    line = "%(asctime)s %(name)s %(levelname)s %(request)s %(message)s"
    file = {"class": "logging.FileHandler", "filename": str(folder / "synapse.log"), "formatter": "line"}
    return {
        "version": 1,
        "formatters": {"line": {"format": line}},
        "handlers": {"file": file},
        "root": {"level": "WARNING", "handlers": ["file"]},
        "disable_existing_loggers": False,
    }
