"""Knobs that make the server misbehave."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFailure:
    """A `<failure>` in place of a login."""

    reason: int
    message: str = ""
    extra: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Faults:
    """What goes wrong at the moment."""

    login_failure: LoginFailure | None = None
    is_ignoring_pings: bool = False
    is_ignoring_acks: bool = False
    qr_refs: int = 6
    is_requesting_all_prekeys: bool = False
    refused_requests: dict[str, tuple[int, str]] = field(default_factory=dict)
