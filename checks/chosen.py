"""The deliberate choice of providers: what it explains, and whether the process does what was chosen."""

import msgspec

from checks import differences
from checks.survey import Survey
from target import choice as choices
from target.choice import Choice
from target.provider_order import order_told_by
from target.record import Record


class InUse(msgspec.Struct, frozen=True):
    """The providers that are to be in use, the first in turn first; `choice` is what they were chosen by, or None."""

    names: tuple[str, ...]
    choice: Choice | None

    @property
    def note(self) -> str:
        """What a person has to know of a criterion that passes because of the choice; empty without one."""
        return self.choice.says if self.choice else ""


async def in_use(survey: Survey) -> InUse:
    """Those of the choice in force, else those of the target."""
    return InUse(await survey.providers(), await survey.host.choice())


async def contradictions(survey: Survey) -> list[str]:
    """A line where `/health` tells that the process does not use what was chosen."""
    choice, answer = await survey.host.choice(), (await survey.ready()).answer
    told = order_told_by(answer) if choice and answer is not None else None
    if choice is None or told is None or told == choice.order:
        return []
    return [f"the process uses {told}, and {choice.order} was chosen: {choice.says}"]


async def environment(survey: Survey, record: Record | None) -> list[str]:
    """What is wrong with a file that is not the recorded one, and variables that differ from the record.

    Those are left out in which the choice in force was written.
    """
    if record is None or record.environment is None or survey.target.environment is None:
        return []
    current, apart = await survey.host.environment(), await variables(survey)
    same = current.file_hmac == record.environment.file_hmac
    faults = () if same else (await survey.host.reading()).faults
    return [f"{survey.target.environment.file} {fault}" for fault in faults] + differences.lines(
        choices.apart_from(current.values, apart),
        choices.apart_from(record.environment.values, apart),
        "variables",
    )


async def variables(survey: Survey) -> frozenset[str]:
    """The variables of the environment that a choice in force explains."""
    return choices.variables(survey.target) if await survey.host.choice() else frozenset()
