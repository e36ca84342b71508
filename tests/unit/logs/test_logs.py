from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mautrix_whatsapp_py.logs import (
    HIDDEN,
    JsonFormatter,
    LogOptions,
    ScrubbingFormatter,
    TextFormatter,
    about,
    setup_logging,
)

TOKEN = "syt_abcdefgh"


def record(message: str, *args: object, failure: BaseException | None = None) -> logging.LogRecord:
    info = (type(failure), failure, failure.__traceback__) if failure else None
    return logging.LogRecord("mautrix_whatsapp_py.app", logging.INFO, __file__, 1, message, args, info)


def line(message: str, *args: object) -> str:
    return ScrubbingFormatter(TextFormatter(), [TOKEN]).format(record(message, *args))


SCRUBBED = {
    f"using {TOKEN} now": f"using {HIDDEN} now",
    "GET /x?access_token=abc&user_id=1": f"GET /x?access_token={HIDDEN}&user_id=1",
    "Authorization: Bearer abc.def": f"Authorization: Bearer {HIDDEN}",
    "{'hs_token': 'abc'}": f"{{'hs_token': '{HIDDEN}'}}",
    '{"as_token": "abc"}': f'{{"as_token": "{HIDDEN}"}}',
    "postgresql://me:pw@host/db": f"postgresql://me:{HIDDEN}@host/db",
    "listening on http://127.0.0.1:8008/": "listening on http://127.0.0.1:8008/",
    "nothing to hide": "nothing to hide",
}


@pytest.mark.parametrize("message", SCRUBBED)
def test_secrets_do_not_reach_a_line(message: str) -> None:
    assert line(message).endswith(f"INFO    app: {SCRUBBED[message]}")


def test_arguments_are_scrubbed_too() -> None:
    assert TOKEN not in line("value %s", TOKEN)


def test_tracebacks_are_scrubbed_too() -> None:
    try:
        raise ValueError(f"cannot use {TOKEN}")
    except ValueError as error:
        failed = record("failed", failure=error)
    for inner in (TextFormatter(), JsonFormatter()):
        text = ScrubbingFormatter(inner, [TOKEN]).format(failed)
        assert "Traceback" in text
        assert TOKEN not in text


def test_a_message_cannot_fake_a_line() -> None:
    assert line("a\nb\rc").endswith(r"a\nb\rc")


def test_json_lines_hold_what_happened() -> None:
    fields = json.loads(ScrubbingFormatter(JsonFormatter(), [TOKEN]).format(record('say "%s"', "hi")))
    assert fields["message"] == 'say "hi"'
    assert fields["level"] == "info"
    assert fields["logger"] == "mautrix_whatsapp_py.app"
    assert fields["time"].endswith("+00:00")


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    logger = logging.getLogger()
    handlers, level = list(logger.handlers), logger.level
    yield logger
    for handler in logger.handlers:
        if handler not in handlers:
            handler.close()
    logger.handlers[:] = handlers
    logger.setLevel(level)


def test_a_log_file_is_made_with_its_folder_and_is_private(root: logging.Logger, tmp_path: Path) -> None:
    path = tmp_path / "logs" / "bridge.log"
    root.handlers[:] = []
    setup_logging(LogOptions(file=path, secrets=frozenset({TOKEN})))
    logging.getLogger("somewhere").info("token %s", TOKEN)
    assert HIDDEN in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


def test_levels_hold_and_libraries_stay_quiet(root: logging.Logger, tmp_path: Path) -> None:
    path = tmp_path / "bridge.log"
    root.handlers[:] = []
    setup_logging(LogOptions(file=path, level=logging.DEBUG))
    logging.getLogger("mautrix_whatsapp_py.x").debug("detail")
    logging.getLogger("mau.http").info("request")
    assert "detail" in path.read_text()
    assert "request" not in path.read_text()


def test_without_a_file_lines_go_to_standard_output(
    root: logging.Logger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    root.handlers[:] = []
    with (tmp_path / "out").open("w+") as out:
        monkeypatch.setattr(sys, "stdout", out)
        setup_logging(LogOptions())
        logging.getLogger("x").info("hello")
        out.seek(0)
        assert out.read().endswith("hello\n")


def test_every_line_about_an_event_names_it() -> None:
    """Also those of what was begun meanwhile, and of nothing afterwards."""
    formatters = (TextFormatter(), JsonFormatter())
    sent = record("sent")
    with about("$event"):
        text, line = (formatter.format(sent) for formatter in formatters)
    assert text.endswith("app: sent [$event]")
    assert json.loads(line)["event"] == "$event"
    assert formatters[0].format(sent).endswith("app: sent")
    assert "event" not in json.loads(formatters[1].format(sent))


async def test_tasks_begun_about_an_event_go_on_naming_it() -> None:
    later = record("later")

    async def say() -> str:
        return TextFormatter().format(later)

    with about("…1111:7"):
        task = asyncio.create_task(say())
    assert (await task).endswith("later […1111:7]")
