"""Which worker should have which login: highest weighted hash wins; pure."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Protocol

from mautrix_whatsapp_py.ids import LoginId

_SPAN = float(1 << 64)


class Candidate(Protocol):
    """A worker that lives."""

    @property
    def holder(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def weight(self) -> float: ...

    @property
    def is_draining(self) -> bool: ...

    @property
    def age_seconds(self) -> float: ...


def eligible(candidates: Sequence[Candidate], *, settled_seconds: float) -> Sequence[Candidate]:
    """Those that may be given logins; one that has just come counts when it has stayed for a while."""
    willing = [one for one in candidates if not one.is_draining and one.weight > 0]
    settled = [one for one in willing if one.age_seconds >= settled_seconds]
    return settled or willing


def choose(login: LoginId, candidates: Sequence[Candidate]) -> str | None:
    """The holder that should have a login; when one comes or goes, only its own share moves.

    By name, not by run: a worker that is started anew gets back what it had.
    """
    best = max(candidates, key=lambda one: _score(login, one), default=None)
    return None if best is None else best.holder


def _score(login: LoginId, candidate: Candidate) -> float:
    digest = hashlib.blake2b(f"{candidate.name}\n{login}".encode(), digest_size=8).digest()
    # Between 0 and 1, neither of them: the logarithm is below 0 and the score above.
    share = (int.from_bytes(digest, "big") + 0.5) / _SPAN
    return -candidate.weight / math.log(min(share, 1 - 2**-53))
