"""Composition of the check of an installation."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from itertools import chain
from pathlib import Path

from aiohttp import ClientSession

from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.config.document import parse_yaml
from mautrix_whatsapp_py.matrix.registration import build_registration, encode_registration
from mautrix_whatsapp_py.ops.doctor_local import (
    check_database,
    check_disk,
    check_files,
    check_libraries,
    check_media,
    check_python,
    check_registration,
)
from mautrix_whatsapp_py.ops.doctor_network import (
    check_bridge,
    check_homeserver,
    check_links,
    check_whatsapp,
    fetch_links,
)
from mautrix_whatsapp_py.ops.doctor_probes import (
    check_client_version,
    check_doubles,
    check_encryption,
    check_ephemeral,
)
from mautrix_whatsapp_py.ops.findings import Finding


async def diagnose(config: Config, *, config_path: Path | None, registration_path: Path | None) -> list[Finding]:
    """Look at everything, whether or not the bridge runs."""
    found = [check_python(), check_libraries(), await asyncio.to_thread(check_media)]
    found += [*check_files(config, config_path), check_disk(config)]
    if registration_path is not None:
        found.append(check_registration(registration_path, expected_registration(config)))
    about_database, logins = await check_database(config)
    found += about_database
    async with ClientSession() as http:
        found += await check_homeserver(config, http)
        about_bridge, is_running = await check_bridge(config, http)
        found += about_bridge
        found += await check_encryption(config, http)
        found += await check_doubles(config, http)
        if is_running:
            found.append(await check_ephemeral(config, http))
            links = await fetch_links(config, http, logins)
            found += check_links(links, logins)
            found.append(check_client_version(chain.from_iterable((links or {}).values())))
        found += await check_whatsapp(config, http)
    return found


def expected_registration(config: Config) -> Mapping[str, object]:
    """What the registration has to say."""
    appservice = config.appservice
    registration = build_registration(config, as_token=appservice.as_token, hs_token=appservice.hs_token)
    fields: Mapping[str, object] = parse_yaml(encode_registration(registration))
    return fields
