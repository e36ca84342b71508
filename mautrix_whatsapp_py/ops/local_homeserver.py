"""A Synapse on this machine, for people who have no homeserver yet."""

from __future__ import annotations

import asyncio
import base64
import fcntl
import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

import aiohttp
import msgspec

from mautrix_whatsapp_py.errors import ExitCode, StartupError
from mautrix_whatsapp_py.ops.child import Child
from mautrix_whatsapp_py.ops.local_homeserver_config import write_synapse_config
from mautrix_whatsapp_py.ops.local_place import HOST, SERVER_NAME, USER, is_port_free

START_SECONDS = 60.0
LOCK_SECONDS = 15.0
POLL_SECONDS = 0.05
REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=10)


class LocalCredentials(msgspec.Struct, frozen=True, kw_only=True):
    """What is random about one local homeserver, made once and kept."""

    user: str
    password: str
    registration_shared_secret: str
    macaroon_secret_key: str
    form_secret: str
    signing_seed: str


class LocalHomeserver:
    """Synapse as a child: started with `async with`, stopped with it, gone when we are killed."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int,
        registration: Path,
        more_registrations: Sequence[Path] = (),
        on_launched: Callable[[], None] = lambda: None,
    ) -> None:
        """`more_registrations` are used where they exist, `on_launched` is for what can be done meanwhile."""
        self._on_launched = on_launched
        self._folder = folder.resolve()
        self._port = port
        self._registration = registration.resolve()
        self._more_registrations = tuple(path.resolve() for path in more_registrations)
        self._child: Child | None = None
        self._lock: int | None = None
        self._credentials: LocalCredentials | None = None

    @property
    def url(self) -> str:
        """The address for clients and for the bridge."""
        return f"http://{HOST}:{self._port}"

    @property
    def user_id(self) -> str:
        """The user that `ensure_user` makes."""
        return f"@{self._require_credentials().user}:{SERVER_NAME}"

    @property
    def password(self) -> str:
        """The password of that user."""
        return self._require_credentials().password

    @property
    def log_path(self) -> Path:
        """Where Synapse says what is wrong."""
        return self._folder / "synapse.log"

    @property
    def locks(self) -> tuple[int, ...]:
        """Descriptors that keep the folder ours; a child that inherits them keeps it until it has ended."""
        return () if self._lock is None else (self._lock,)

    @property
    def pid(self) -> int:
        """The process id of Synapse."""
        assert self._child is not None, "the homeserver was not started"
        return self._child.pid

    async def __aenter__(self) -> LocalHomeserver:
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def ensure_user(self) -> None:
        """Create the user, unless an earlier start did."""
        try:
            async with aiohttp.ClientSession(timeout=REQUEST_TIMEOUT) as http:
                errcode = await self._register_user(http)
        except (aiohttp.ClientError, TimeoutError):
            raise self._failure("did not answer when asked for a user") from None
        if errcode not in ("", "M_USER_IN_USE"):
            raise self._failure(f"did not create a user ({errcode})")

    async def wait_for_end(self) -> None:
        """Return when Synapse has ended by itself."""
        if self._child is not None:
            await self._child.wait()

    async def stop(self) -> None:
        """End Synapse, cleanly if it lets us, and leave nothing behind."""
        child, self._child = self._child, None
        try:
            if child is not None:
                await child.stop()
        finally:
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

    async def _start(self) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = await self._take_lock()
        except OSError as error:
            raise StartupError(
                f"{self._folder} cannot be written ({error.strerror})",
                mend="let this user write there, or choose another data folder",
                code=ExitCode.DATA_FOLDER,
            ) from None
        self._credentials = _load_or_make_credentials(self._folder / "credentials.json")
        if not is_port_free(self._port):
            raise StartupError(
                f"port {self._port}, meant for the local homeserver, is taken",
                mend="stop the program that uses it, or change homeserver.address in the configuration",
                code=ExitCode.LISTENER,
            )
        config = self._write_files(self._credentials)
        self._child = Child(
            "synapse.app.homeserver",
            ["-c", str(config)],
            output=self._folder / "synapse.out",
            inherited=self.locks,
        )
        self._on_launched()
        await self._wait_until_ready()

    async def _register_user(self, http: aiohttp.ClientSession) -> str:
        credentials = self._require_credentials()
        endpoint = f"{self.url}/_synapse/admin/v1/register"
        async with http.get(endpoint) as response:
            nonce = str((await response.json())["nonce"])
        signed = "\0".join((nonce, credentials.user, credentials.password, "admin")).encode()
        body = {
            "nonce": nonce,
            "username": credentials.user,
            "password": credentials.password,
            "admin": True,
            # Synapse prescribes SHA-1 here.
            "mac": hmac.new(credentials.registration_shared_secret.encode(), signed, hashlib.sha1).hexdigest(),
        }
        async with http.post(endpoint, json=body) as response:
            return str((await response.json()).get("errcode", ""))

    async def _take_lock(self) -> int:
        descriptor = os.open(self._folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        end = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                # The Synapse of a start that was killed needs a moment to notice.
                if time.monotonic() > end:
                    os.close(descriptor)
                    raise self._failure("is in use by another start", mend="stop that one first") from None
                await asyncio.sleep(POLL_SECONDS)
            else:
                return descriptor

    def _write_files(self, credentials: LocalCredentials) -> Path:
        key = self._folder / "signing.key"
        _write_private(key, f"ed25519 a_local {credentials.signing_seed}\n")
        return write_synapse_config(
            self._folder,
            port=self._port,
            host=HOST,
            server_name=SERVER_NAME,
            registrations=[self._registration, *(path for path in self._more_registrations if path.is_file())],
            registration_shared_secret=credentials.registration_shared_secret,
            macaroon_secret_key=credentials.macaroon_secret_key,
            form_secret=credentials.form_secret,
        )

    async def _wait_until_ready(self) -> None:
        end = time.monotonic() + START_SECONDS
        async with aiohttp.ClientSession(timeout=REQUEST_TIMEOUT) as http:
            while not await self._answers(http):
                if self._child is None or not self._child.is_running:
                    raise self._failure("ended while it started")
                if time.monotonic() > end:
                    raise self._failure(f"did not answer within {START_SECONDS:.0f} s")
                await asyncio.sleep(POLL_SECONDS)

    async def _answers(self, http: aiohttp.ClientSession) -> bool:
        try:
            async with http.get(f"{self.url}/_matrix/client/versions") as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    def _failure(self, what: str, *, mend: str = "") -> StartupError:
        return StartupError(
            f"the local homeserver in {self._folder} {what}",
            mend=mend or f"see {self._folder / 'synapse.out'} and {self.log_path}",
            code=ExitCode.HOMESERVER_UNREACHABLE,
        )

    def _require_credentials(self) -> LocalCredentials:
        assert self._credentials is not None, "the homeserver was not started"
        return self._credentials


def _load_or_make_credentials(path: Path) -> LocalCredentials:
    if path.exists():
        try:
            return msgspec.json.decode(path.read_bytes(), type=LocalCredentials)
        except msgspec.MsgspecError:
            raise StartupError(
                f"{path} is damaged",
                mend=f"restore it, or remove {path.parent} to start with an empty homeserver",
                code=ExitCode.DATA_FOLDER,
            ) from None
    made = LocalCredentials(
        user=USER,
        password=secrets.token_urlsafe(12),
        registration_shared_secret=secrets.token_urlsafe(32),
        macaroon_secret_key=secrets.token_urlsafe(32),
        form_secret=secrets.token_urlsafe(32),
        signing_seed=base64.b64encode(secrets.token_bytes(32)).decode().rstrip("="),
    )
    _write_private(path, msgspec.json.format(msgspec.json.encode(made)).decode() + "\n")
    return made


def _write_private(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)
