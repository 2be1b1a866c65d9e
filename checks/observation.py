"""What a check saw: a measured value, its evidence, and what it means for one criterion."""

from typing import Literal

import msgspec

Outcome = Literal["pass", "fail", "inconclusive"]


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """A criterion decided, or not, by one check.

    `observed` is in the criterion's unit; `n` the number of samples behind it; `confidence` between 0 and 1 where
    statistics decided. `evidence` is one line that a tired person understands (more lines only if each is needed);
    `summary` the few words that stand on the category's line when all is well; `next` the one thing to type or do.
    """

    criterion: str
    outcome: Outcome
    observed: float | str | bool | None = None
    n: int | None = None
    confidence: float | None = None
    evidence: str = ""
    summary: str = ""
    next: str = ""


class Decide:
    """Given to every check as the fixture `decide`; each of the check's criteria must be decided through it once.

    Nothing is raised for a failed criterion: a check goes on to its other criteria. The plugin fails the test
    afterwards. A criterion that the check declares (`@pytest.mark.decides(...)`) and leaves undecided, by an exception or by
    oversight, is inconclusive.
    """

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
        raise NotImplementedError

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
        raise NotImplementedError

    def unknown(self, criterion: str, *, evidence: str, next: str, n: int | None = None) -> None:  # noqa: A002  (as above)
        """It could not be determined, and why."""
        raise NotImplementedError

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
        raise NotImplementedError

    def value(self, criterion: str, value: float, *, evidence: str, next: str, n: int | None = None) -> None:  # noqa: A002  (as above)
        """Compare a single measured value (in the criterion's base unit: seconds, bytes, share 0..1) with its limit."""
        raise NotImplementedError

    def rate(self, criterion: str, *, failures: int, n: int, evidence: str, next: str) -> None:  # noqa: A002  (as above)
        """Decide a rate criterion (`> 95%` success or `< 1%` failures) from n requests with that many failures."""
        raise NotImplementedError

    def mean(self, criterion: str, samples: list[float], *, evidence: str, next: str) -> None:  # noqa: A002  (as above)
        """Decide a limit on the mean (seconds) by a confidence interval."""
        raise NotImplementedError

    def quantile(self, criterion: str, q: float, samples: list[float], *, evidence: str, next: str) -> None:  # noqa: A002  (as above)
        """Decide a limit on a quantile (seconds) by the order-statistics interval."""
        raise NotImplementedError
