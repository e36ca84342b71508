"""What reading a configuration brought to light."""

from __future__ import annotations

from dataclasses import dataclass, field

from mautrix_whatsapp_py.config.schema import KeyPath, dotted
from mautrix_whatsapp_py.errors import ConfigError, ExitCode


@dataclass(slots=True)
class Findings:
    """Problems, the first of each path only, and keys without effect."""

    problems: dict[str, str] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    code: ExitCode = ExitCode.CONFIG_INVALID

    def add(self, path: KeyPath, text: str, *, code: ExitCode | None = None) -> None:
        """Record a problem; a second one of the same path would only repeat the first."""
        self.problems.setdefault(dotted(path), text)
        if code is not None:
            self.code = code

    def raise_problems(self) -> None:
        """ConfigError with all problems, if there are any."""
        if self.problems:
            lines = [f"{path}: {text}" for path, text in self.problems.items()]
            raise ConfigError(lines, code=self.code)
