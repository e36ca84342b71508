"""Listeners of ours: one way to open them, and to say why that is not possible."""

from __future__ import annotations

from aiohttp import web

from mautrix_whatsapp_py.errors import ExitCode, StartupError


async def listen(
    app: web.Application, host: str, port: int, *, purpose: str, mend: str, stop_seconds: float
) -> web.AppRunner:
    """Listen at an address; StartupError when it cannot be had. What is under way when it ends has a while."""
    # The access log would hold the tokens of those who can only send them in the address.
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=stop_seconds)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        raise StartupError(
            f"cannot listen on {host} port {port} for {purpose} ({error.strerror or type(error).__name__})",
            mend=f"stop the program that uses the port, or change {mend}",
            code=ExitCode.LISTENER,
        ) from error
    return runner
