"""Speaks to a channel that runs."""

from __future__ import annotations

import http.client
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.errors import ExitCode, StartupError

TOKEN_FILE = "channel-token"  # noqa: S105  a file's name
TIMEOUT_SECONDS = 90.0
_URL_VARIABLE = "WHATSAPP_PERSONAL_BRIDGE_URL"


class Refused(StartupError):
    """The channel said no."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text, mend="", code=ExitCode.USAGE)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelClient:
    """One channel on this machine."""

    url: str
    token: str

    @classmethod
    def of(cls, config: Config) -> ChannelClient:
        """The channel that a configuration is about."""
        section = config.channel
        name = section.bridge_url_env or _URL_VARIABLE
        return cls(url=os.environ.get(name) or section.bridge_url, token=section.token or _read_token(config))

    def get(self, path: str, **query: str | int | None) -> Any:
        """Ask."""
        words = {name: value for name, value in query.items() if value is not None}
        return self._call("GET", f"{path}?{urlencode(words)}" if words else path, None, {})

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Have something done."""
        said = {name: value for name, value in body.items() if value is not None}
        return self._call("POST", path, json.dumps(said).encode(), {"Content-Type": "application/json"})

    def upload(self, file: Path) -> str:
        """Hand over a file; its id."""
        try:
            with file.open("rb") as body:
                answer = self._call("POST", f"/v1/uploads?name={quote(file.name)}", body, {})
        except OSError as error:
            raise StartupError(
                f"{file} cannot be read ({error.strerror})", mend="name another file", code=ExitCode.USAGE
            ) from None
        return str(answer["upload"])

    def _call(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=TIMEOUT_SECONDS)
        try:
            connection.request(method, path, body, {"Authorization": f"Bearer {self.token}", **headers})
            response = connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise StartupError(
                f"No channel answers at {parts.hostname}:{parts.port} ({type(error).__name__})",
                mend="start it with `channel run`, or set channel.enabled and start the bridge",
                code=ExitCode.LISTENER,
            ) from None
        finally:
            connection.close()
        if response.status >= 400:
            raise Refused(response.status, str(answer.get("error", response.reason)))
        return answer


def _read_token(config: Config) -> str:
    path = config.data_folder / TOKEN_FILE
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        raise StartupError(
            f"{path} cannot be read",
            mend="start the channel first, which makes it, and use the same configuration and user",
            code=ExitCode.DATA_FOLDER,
        ) from None
