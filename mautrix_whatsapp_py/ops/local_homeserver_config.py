"""The configuration of the local Synapse, written anew at each start."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from string import Template

SYNAPSE = Template("""\
# Written at each start of the bridge's quickstart: changes made here are lost.
# For a homeserver of your own, install one and set homeserver.address in the bridge's configuration.
server_name: $server_name
public_baseurl: $url
log_config: $log_config
signing_key_path: $signing_key
media_store_path: $media
database: {name: sqlite3, args: {database: $database}}
app_service_config_files: $registrations

# Reachable from this machine only, and alone in the world: no other servers, no sign-up, no statistics.
listeners:
  - {port: $port, bind_addresses: [$host], type: http, tls: false, resources: [{names: [client], compress: false}]}
federation_domain_whitelist: []
trusted_key_servers: []
suppress_key_server_warning: true
enable_registration: false
report_stats: false
url_preview_enabled: false
max_upload_size: 100M

# One person, one machine: they may type as fast as they like.
rc_message: {per_second: 50, burst_count: 500}
rc_login: {address: {per_second: 5, burst_count: 50}, account: {per_second: 5, burst_count: 50}}

# What a bridge needs for encrypted rooms.
experimental_features: {msc2409_to_device_messages_enabled: true, msc3202_transaction_extensions: true}

registration_shared_secret: $registration_shared_secret
macaroon_secret_key: $macaroon_secret_key
form_secret: $form_secret
""")

LOGGING = Template("""\
version: 1
disable_existing_loggers: false
formatters:
  line: {format: '%(asctime)s %(levelname)s %(name)s: %(message)s'}
handlers:
  file:
    class: logging.handlers.RotatingFileHandler
    filename: $log
    maxBytes: 10000000
    backupCount: 2
    formatter: line
root: {level: WARNING, handlers: [file]}
""")


def write_synapse_config(
    folder: Path,
    *,
    host: str,
    port: int,
    server_name: str,
    registrations: Sequence[Path],
    registration_shared_secret: str,
    macaroon_secret_key: str,
    form_secret: str,
) -> Path:
    """Write homeserver.yaml and its log configuration; the path of the former."""
    values: dict[str, object] = {
        "server_name": server_name,
        "url": f"http://{host}:{port}/",
        "log_config": folder / "log.yaml",
        "signing_key": folder / "signing.key",
        "media": folder / "media",
        "database": folder / "homeserver.db",
        "registrations": [str(path) for path in registrations],
        "port": port,
        "host": host,
        "registration_shared_secret": registration_shared_secret,
        "macaroon_secret_key": macaroon_secret_key,
        "form_secret": form_secret,
    }
    _write(folder / "log.yaml", _fill(LOGGING, {"log": folder / "synapse.log"}))
    path = folder / "homeserver.yaml"
    _write(path, _fill(SYNAPSE, values))
    return path


def _fill(template: Template, values: dict[str, object]) -> str:
    # A JSON scalar is a YAML scalar, whatever characters a path holds.
    return template.substitute(
        {key: json.dumps(str(value) if isinstance(value, Path) else value) for key, value in values.items()}
    )


def _write(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
