"""`doctor` for people who run the bridge and are not at its machine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from mautrix_whatsapp_py.commands.results import Group, Item, Listing
from mautrix_whatsapp_py.commands.spec import Call, Command, CommandSection
from mautrix_whatsapp_py.config.permissions import PermissionLevel
from mautrix_whatsapp_py.errors import CommandError
from mautrix_whatsapp_py.ops.findings import Finding, Outcome

Diagnose = Callable[[], Awaitable[Sequence[Finding]]]
NOT_HERE = "What is wrong with the bridge is not for everybody here. Ask me in your management room."
_TITLES = {
    Outcome.ILL: "Does not work",
    Outcome.ODD: "Could be better",
    Outcome.SKIPPED: "Could not be looked at",
    Outcome.WELL: "Is well",
}


def doctor_command(diagnose: Diagnose) -> Command:
    """`doctor`."""

    async def run(call: Call) -> Listing:
        if not call.request.is_management:
            raise CommandError(NOT_HERE)
        findings = await diagnose()
        groups = (_group_of(outcome, findings) for outcome in _TITLES)
        return Listing(groups=tuple(group for group in groups if group.items))

    return Command(
        name="doctor",
        section=CommandSection.ADMIN,
        summary="Look at the whole installation and say what is wrong and how it is mended.",
        level=PermissionLevel.ADMIN,
        run=run,
    )


def _group_of(outcome: Outcome, findings: Sequence[Finding]) -> Group:
    items = tuple(
        Item(
            term=finding.name,
            text=f"{finding.text}; {finding.mend}" if finding.mend else finding.text,
            is_well=outcome is not Outcome.ILL,
        )
        for finding in findings
        if finding.outcome is outcome
    )
    return Group(title=_TITLES[outcome], items=items)
