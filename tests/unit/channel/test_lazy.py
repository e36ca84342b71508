"""What only some need is loaded for them alone."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import mautrix_whatsapp_py.app.alone, mautrix_whatsapp_py.app.main, mautrix_whatsapp_py.cli.entry
import mautrix_whatsapp_py.cli.channel, mautrix_whatsapp_py.channel.web.server
print(sorted(name for name in ("mcp", "pydantic", "PIL", "qrcode", "schemathesis") if name in sys.modules))
"""


def test_the_protocol_of_assistants_is_an_extra() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True, text=True)
    assert done.stdout == "[]\n"
