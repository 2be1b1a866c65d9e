"""How a drill ended: what was found at each of its steps, and the verdict that follows from it."""

from typing import Literal

import msgspec

Word = Literal["passed", "failed", "inconclusive"]


class Finding(msgspec.Struct, frozen=True):
    """What a step of the drill found. `holds` is None where it could not be told."""

    holds: bool | None
    says: str


class Rto(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds to recover, in four parts, and the budget of the level.

    `detect` is what triage took, `decide` what the rollback looked at before its first change, `act` the changing,
    `verify` the operator's own checks.
    """

    detect_s: float
    decide_s: float
    act_s: float
    verify_s: float
    budget_s: float

    @property
    def total_s(self) -> float:
        """From the landed fault to the proven recovery."""
        return self.detect_s + self.decide_s + self.act_s + self.verify_s


class Lost(msgspec.Struct, frozen=True):
    """RPO: of the writes that the service acknowledged, the rows and objects that are gone."""

    acknowledged: int
    rows: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """Rows and objects together."""
        return len(self.rows) + len(self.objects)


class Drilled(msgspec.Struct, kw_only=True):
    """A drill. What is None was not come to, or does not belong to it: a fault without a cure is detected and healed.

    `stack` is its kind, `target` the file of the deployment that was broken. `started_at` is ISO 8601 in UTC;
    `seconds` is the whole drill, with steady state and cleaning up; `landing_s` is what injecting and proving took,
    `scenario` what triage named.
    """

    fault: str
    family: str
    stack: str
    target: str
    cure: str | None
    level: int | None
    started_at: str
    folder: str
    seconds: float = 0.0
    steady: Finding | None = None
    landed: Finding | None = None
    landing_s: float | None = None
    scenario: int | None = None
    detected: Finding | None = None
    cured: Finding | None = None
    traffic: Finding | None = None
    lost: Lost | None = None
    rto: Rto | None = None
    collateral: Finding | None = None
    cleaned: Finding | None = None
    trouble: str | None = None
    verdict: Word = "inconclusive"
    why: tuple[str, ...] = ()

    def judge(self) -> None:
        """Set the verdict: failed where something is known to be bad, passed where all is known to be good."""
        bad, unknown = list[str](), list[str]()
        for name, finding in self._findings():
            if finding is None or finding.holds is None:
                says = finding.says if finding is not None else "was not come to"
                unknown.append(f"{name}: {says}")
            elif not finding.holds:
                # A fault, a steady state or a traffic that there was not proves nothing about the rollback.
                (unknown if name in _GROUNDS else bad).append(f"{name}: {finding.says}")
        if self.cure is not None:
            self._judge_recovery(bad, unknown)
        if self.trouble is not None:
            unknown.append(self.trouble)
        self.verdict = "failed" if bad else "inconclusive" if unknown else "passed"
        self.why = tuple(bad + unknown)

    def _findings(self) -> list[tuple[str, Finding | None]]:
        return [
            ("steady state", self.steady),
            ("fault", self.landed),
            ("traffic", self.traffic),
            ("detected", self.detected),
            ("cured" if self.cure else "healed", self.cured),
            *([("collateral", self.collateral)] if self.cure else []),
            ("cleaned up", self.cleaned),
        ]

    def _judge_recovery(self, bad: list[str], unknown: list[str]) -> None:
        if self.lost is None:
            unknown.append("RPO: was not come to")
        elif self.lost.count:
            bad.append(
                f"RPO: {len(self.lost.rows)} rows and {len(self.lost.objects)} objects that were acknowledged are gone"
            )
        if self.rto is None:
            unknown.append("RTO: was not come to")
        elif self.rto.total_s > self.rto.budget_s:
            bad.append(f"RTO: {self.rto.total_s:.0f} s of {self.rto.budget_s:.0f} s")


_GROUNDS = ("steady state", "fault", "traffic", "cleaned up")


def exit_code(drilled: list[Drilled], *, complete: bool = True) -> int:
    """0 all passed, 1 any failed, 6 none failed and any inconclusive, none at all, or not all (`complete`)."""
    words = {drill.verdict for drill in drilled}
    if "failed" in words:
        return 1
    return 0 if words == {"passed"} and complete else 6
