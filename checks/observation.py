"""What a check saw: a measured value, its evidence, and what it means for one criterion."""

import msgspec

from checks.criterion import Criterion
from checks.interval import CONFIDENCE, Interval, mean_interval, quantile
from checks.rates import Outcome, RatePlan

_SHOWN = 3


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """A criterion decided, or not, by one check.

    `observed` is in the criterion's unit; `n` the number of samples behind it; `confidence` between 0 and 1 where
    statistics decided. `evidence` is one line that a tired person understands (more lines only if each is needed);
    `summary` the few words that stand on the category's line when all is well; `next` the one thing to type or do.
    `note` is what has to be known of it whatever the outcome: that something is so on purpose.
    """

    criterion: str
    outcome: Outcome
    observed: float | str | bool | None = None
    n: int | None = None
    confidence: float | None = None
    evidence: str = ""
    summary: str = ""
    next: str = ""
    note: str = ""


class Decide:
    """Given to every check as the fixture `decide`; each of the check's criteria must be decided through it once.

    Nothing is raised for a failed criterion: a check goes on to its other criteria. The plugin fails the test
    afterwards. A criterion that the check declares (`@pytest.mark.decides(...)`) and leaves undecided, by an exception
    or by oversight, is inconclusive.
    """

    def __init__(self, declared: tuple[str, ...], criteria: dict[str, Criterion]) -> None:
        self._declared = declared
        self._criteria = criteria
        self.observations: list[Observation] = []

    def undecided(self) -> tuple[str, ...]:
        """The declared criteria without an observation yet."""
        decided = {observation.criterion for observation in self.observations}
        return tuple(name for name in self._declared if name not in decided)

    def note(self, criterion: str, text: str) -> None:
        """Add what has to be known of a criterion that is decided."""
        self.observations = [
            msgspec.structs.replace(each, note=text) if each.criterion == criterion else each
            for each in self.observations
        ]

    def passed(
        self,
        criterion: str,
        observed: float | str | bool | None,
        *,
        evidence: str = "",
        summary: str = "",
        n: int | None = None,
    ) -> None:
        """The criterion holds."""
        self._note(criterion, "pass", observed, n=n, evidence=evidence, summary=summary or evidence)

    def failed(
        self,
        criterion: str,
        observed: float | str | bool | None,
        *,
        evidence: str,
        next: str,  # noqa: A002  (the word of the verdict page)
        n: int | None = None,
    ) -> None:
        """The criterion is broken: the deployment is bad."""
        self._note(criterion, "fail", observed, n=n, evidence=evidence, next=next)

    def unknown(
        self,
        criterion: str,
        *,
        evidence: str,
        next: str,  # noqa: A002  (as above)
        n: int | None = None,
    ) -> None:
        """It could not be determined, and why."""
        self._note(criterion, "inconclusive", None, n=n, evidence=evidence, next=next)

    def require(
        self,
        criterion: str,
        problems: list[str],
        *,
        summary: str,
        next: str,  # noqa: A002  (as above)
        n: int | None = None,
    ) -> None:
        """Passed when `problems` is empty, else failed with the first few of them as evidence and their count."""
        if not problems:
            self.passed(criterion, True, summary=summary, n=n)
            return
        more = [f"and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
        self.failed(criterion, False, evidence="\n".join([*problems[:_SHOWN], *more]), next=next, n=n)

    def value(
        self,
        criterion: str,
        value: float,
        *,
        evidence: str,
        next: str,  # noqa: A002  (as above)
        n: int | None = None,
    ) -> None:
        """Compare a single measured value (in the criterion's base unit: seconds, bytes, share 0..1) with its limit."""
        limit = self._criteria[criterion]
        outcome: Outcome = "pass" if limit.holds(value) else "fail"
        self._note(
            criterion, outcome, limit.shown(value), n=n, evidence=evidence, summary=evidence, next=next
        )

    def rate(
        self,
        criterion: str,
        *,
        failures: int,
        n: int,
        evidence: str,
        next: str,  # noqa: A002  (as above)
    ) -> None:
        """Decide a rate criterion (`> 95%` success or `< 1%` failures) from n requests with that many failures."""
        limit = self._criteria[criterion]
        judged = RatePlan(limit.worst_share).judge(failures, n)
        share = failures / n if n else None
        if share is not None and limit.sign.startswith(">"):
            share = 1 - share
        if judged.outcome == "inconclusive":
            evidence = f"{failures} of {n} failed: {judged.more} further clean samples would decide. {evidence}".strip()
        self._note(
            criterion,
            judged.outcome,
            None if share is None else limit.shown(share),
            n=n,
            confidence=judged.confidence or None,
            evidence=evidence,
            summary=evidence,
            next=next,
        )

    def mean(
        self,
        criterion: str,
        samples: list[float],
        *,
        evidence: str,
        next: str,  # noqa: A002  (as above)
    ) -> None:
        """Decide a limit on the mean (seconds): the whole 95 % interval must lie on the good side to pass."""
        interval = mean_interval(samples)
        if interval is None:
            self.unknown(
                criterion,
                evidence=f"only {len(samples)} samples. {evidence}".strip(),
                next=next,
                n=len(samples),
            )
            return
        measured = f"average {interval.middle:.2f} s, 95 % bounds {interval.low:.2f} to {interval.high:.2f} s"
        self.interval(
            criterion,
            interval,
            n=len(samples),
            evidence=f"{measured}. {evidence}".strip(),
            summary=f"average {interval.middle:.2f} s",
            next=next,
        )

    def interval(
        self,
        criterion: str,
        interval: Interval,
        *,
        n: int,
        evidence: str,
        summary: str,
        next: str,  # noqa: A002  (as above)
    ) -> None:
        """Decide a limit on what is known to lie between two bounds: both must be on the good side to pass."""
        limit = self._criteria[criterion]
        bounds = (limit.holds(interval.low), limit.holds(interval.high))
        outcome: Outcome = "pass" if all(bounds) else "inconclusive" if any(bounds) else "fail"
        self._note(
            criterion,
            outcome,
            limit.shown(interval.middle),
            n=n,
            confidence=None if outcome == "inconclusive" else CONFIDENCE,
            evidence=evidence,
            summary=summary,
            next=next,
        )

    def quantile(
        self,
        criterion: str,
        q: float,
        samples: list[float],
        *,
        evidence: str,
        next: str,  # noqa: A002  (as above)
    ) -> None:
        """Decide a limit on the q-quantile (seconds) by the exact binomial test on the share of samples above it."""
        limit = self._criteria[criterion]
        slow = sum(not limit.holds(sample) for sample in samples)
        judged = RatePlan(round(1 - q, 12)).judge(slow, len(samples))
        measured = f"{slow} of {len(samples)} samples at or over {limit.shown(limit.limit):g} {limit.unit}"
        if judged.outcome == "inconclusive":
            measured += f", {judged.more} further fast ones would decide"
        observed = quantile(samples, q) if samples else None
        self._note(
            criterion,
            judged.outcome,
            None if observed is None else limit.shown(observed),
            n=len(samples),
            confidence=judged.confidence or None,
            evidence=f"{measured}. {evidence}".strip(),
            summary="" if observed is None else f"p{q * 100:g} {observed:.2f} s",
            next=next,
        )

    def _note(
        self,
        criterion: str,
        outcome: Outcome,
        observed: float | str | bool | None,
        *,
        n: int | None = None,
        confidence: float | None = None,
        evidence: str = "",
        summary: str = "",
        next: str = "",  # noqa: A002  (as above)
    ) -> None:
        if criterion not in self._declared:
            raise LookupError(
                f"this check decides {criterion} without declaring it in @pytest.mark.decides(…)"
            )
        if criterion not in self.undecided():
            raise LookupError(f"{criterion} is decided twice")
        self.observations.append(
            Observation(
                criterion=criterion,
                outcome=outcome,
                observed=observed,
                n=n,
                confidence=confidence,
                evidence=evidence,
                summary=summary,
                next=next,
            )
        )
