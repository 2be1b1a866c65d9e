"""How far the clock of the service is from the one here, as the `Date:` of its answers tells."""

import time
from email.utils import parsedate_to_datetime

import msgspec

from target.api import Answer

_TOLD_IN_S = 1.0  # `Date:` has no fractions, and many servers write it anew once a second


class Told(msgspec.Struct, frozen=True):
    """What an answer says of the time: `date` as it stands there; the offset is the service's time less ours.

    `least_s` is how far the two are apart at least, in seconds: the offset less what the request took and `Date:`
    leaves open; 0 where they may be the same. Positive where the service is ahead.
    """

    date: str
    least_s: float

    @property
    def text(self) -> str:
        """As evidence."""
        if not self.least_s:
            return f"the service says {self.date}, as it is here"
        side = "ahead of" if self.least_s > 0 else "behind"
        return f"the service says {self.date}: at least {abs(self.least_s):.0f} s {side} the clock here"


def told(answer: Answer) -> Told | None:
    """What a fresh answer tells of the service's clock; None where it names no date, or a cache may have kept it."""
    date = answer.headers.get("date")
    if date is None or "age" in answer.headers:
        return None
    try:
        theirs = parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
    began = time.time() - (time.monotonic() - answer.started)
    low, high = theirs - (began + answer.seconds), theirs + 2 * _TOLD_IN_S - began
    return Told(date, low if low > 0 else min(high, 0.0))
