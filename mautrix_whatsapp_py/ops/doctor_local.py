"""Looks at this machine: Python, libraries, files, disk, database."""

from __future__ import annotations

import os
import platform
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.config.document import parse_yaml
from mautrix_whatsapp_py.errors import StoreError
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.ops.findings import Finding, ill, odd, skipped, well
from mautrix_whatsapp_py.store.current import HEAD, fetch_revision
from mautrix_whatsapp_py.store.depths import get_depths
from mautrix_whatsapp_py.store.logins import LoginBook
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.url import SqliteAddress, decode_database_url

LIBRARIES = (
    "mautrix", "aiohttp", "aiohttp-socks", "asyncpg", "aiosqlite", "SQLAlchemy", "alembic", "ruamel.yaml",
    "msgspec", "uvloop", "qrcode", "pillow", "av", "pillow-heif", "resvg-py", "rlottie-python", "neonize",
    "certifi", "cryptography", "regex",
)  # fmt: skip
ENCODERS = ("libx264", "aac", "libopus", "gif")
_MEDIA_SECONDS = 60
# In a process of its own: these libraries take memory, and one that does not fit the machine ends its process.
_MEDIA_PROBE = """
import sys, av, pillow_heif, resvg_py, rlottie_python
print(av.library_versions["libavcodec"][0], *(name for name in sys.argv[1:] if name not in av.codecs_available))
"""
OLDEST_PYTHON, FIRST_UNKNOWN_PYTHON = (3, 11), (3, 14)
LITTLE_BYTES, NEXT_TO_NOTHING_BYTES = 1_000_000_000, 100_000_000
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def check_python() -> Finding:
    """The interpreter."""
    running = sys.version_info[:2]
    if not OLDEST_PYTHON <= running < FIRST_UNKNOWN_PYTHON:
        return odd("python", f"{platform.python_version()} is not tested", "use Python 3.11, 3.12 or 3.13")
    return well("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def check_libraries(names: Sequence[str] = LIBRARIES) -> Finding:
    """Whether all of them are installed."""
    found: dict[str, str] = {}
    missing: list[str] = []
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        return ill("libraries", f"{', '.join(missing)} missing", "install the package again with pip")
    return well("libraries", ", ".join(f"{name} {number}" for name, number in found.items()))


def check_media(encoders: Sequence[str] = ENCODERS) -> Finding:
    """Whether the libraries that convert files load on this machine, and write what phones play."""
    command = [sys.executable, "-c", _MEDIA_PROBE, *encoders]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=_MEDIA_SECONDS, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", "") or type(error).__name__
        mend = "install the package again with pip, for this machine and its Python"
        return ill("media", f"files cannot be converted: {said.strip().splitlines()[-1]}", mend)
    number, *missing = run.stdout.split()
    if missing:
        return ill(
            "media", f"FFmpeg has no {', '.join(missing)}", "install av from its wheel: pip install --force av"
        )
    return well("media", f"FFmpeg (libavcodec {number}) and the other converters load")


def check_files(config: Config, config_path: Path | None) -> Iterator[Finding]:
    """Whether secrets are private and folders can be written."""
    private = [config.session_folder] if config.session_folder.exists() else []
    private += [path for path in (config_path, _database_file(config)) if path is not None and path.exists()]
    open_to_others = [path for path in private if path.stat().st_mode & _OTHERS]
    if open_to_others:
        names = ", ".join(str(path) for path in open_to_others)
        yield odd("permissions", f"others can reach {names}", f"run chmod go= {names}")
    else:
        yield well("permissions", "configuration, database and sessions are private")
    folders = {config.data_folder, config.session_folder, *_log_folder(config)}
    locked = [str(path) for path in folders if path.exists() and not os.access(path, os.W_OK | os.X_OK)]
    if locked:
        yield ill("folders", f"{', '.join(locked)} cannot be written", "give them to the user the bridge runs as")
    else:
        yield well("folders", "can be written")


def check_disk(config: Config) -> Finding:
    """Whether there is room."""
    free = shutil.disk_usage(config.data_folder).free
    text = f"{free / 1e9:.1f} GB free at {config.data_folder}"
    mend = "make room: without any the bridge stops to receive"
    if free < NEXT_TO_NOTHING_BYTES:
        return ill("disk", text, mend)
    return odd("disk", text, mend) if free < LITTLE_BYTES else well("disk", text)


def _filled(value: object) -> object:
    """Without the kinds of names of which there are none."""
    return {name: one for name, one in value.items() if one} if isinstance(value, dict) else value


def check_registration(path: Path, expected: Mapping[str, object]) -> Finding:
    """Whether the file that was given to the homeserver is what the configuration says now."""
    if not path.is_file():
        return skipped("registration", f"there is no {path}; name it with --registration")
    try:
        found = parse_yaml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return ill("registration", f"{path} cannot be read ({type(error).__name__})", "write it anew with -g")
    fields = found if isinstance(found, dict) else {}
    # Its sender is made anew each time it is written and means nothing to us.
    differing = [
        key for key in expected if key != "sender_localpart" and _filled(fields.get(key)) != _filled(expected[key])
    ]
    if differing:
        return ill(
            "registration",
            f"{path} and the configuration differ in: {', '.join(differing)}",
            "write it anew with -g, give it to the homeserver, and restart that",
        )
    return well("registration", f"{path} is what the configuration says")


async def check_database(config: Config) -> tuple[list[Finding], tuple[Login, ...]]:
    """Whether it answers and fits, how much waits; and whose accounts there are."""
    try:
        address = decode_database_url(config.database.uri)
    except ValueError:
        return [ill("database", "its address cannot be read", "correct database.uri")], ()
    if isinstance(address, SqliteAddress) and not address.path.is_file():
        return [skipped("database", "there is none yet; the first start makes it")], ()
    store = Store(address)
    try:
        revision = await fetch_revision(store)
        depths = await store.read(get_depths)
        logins = tuple(await LoginBook(store).get_all())
    except StoreError as error:
        return [ill("database", error.text, "start it, or correct database.uri; see the bridge's log")], ()
    finally:
        await store.close()
    kind = "SQLite" if isinstance(address, SqliteAddress) else "Postgres"
    found = [_check_revision(kind, revision)]
    waiting = f"{depths.inbox.count} events wait for the bridge, {depths.outbox.count} messages for WhatsApp"
    found.append(well("waiting", f"{waiting}; {depths.rooms} chats have rooms"))
    return found, logins


def _check_revision(kind: str, revision: str | None) -> Finding:
    if revision == HEAD:
        return well("database", f"{kind}, schema {revision}")
    if revision is not None and revision > HEAD:
        return ill("database", f"{kind}, schema {revision} is newer than this program", "update the program")
    return odd("database", f"{kind}, schema {revision or 'none'} is older than this program", "start the bridge")


def _database_file(config: Config) -> Path | None:
    try:
        address = decode_database_url(config.database.uri)
    except ValueError:
        return None
    return address.path if isinstance(address, SqliteAddress) else None


def _log_folder(config: Config) -> tuple[Path, ...]:
    return (Path(config.logging.file).parent,) if config.logging.file else ()
