"""Sampling until there is enough to judge, and no longer: series of like requests, several of them side by side."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from statistics import fmean
from typing import Any

import msgspec

from checks.interval import mean_interval
from checks.rates import RatePlan
from target.api import Answer
from target.errors import ApiError

FEWEST_TIMES = 30
FEWEST_TO_REFUTE = 8
_SIDE_BY_SIDE = 8


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One request and what came of it: `answer` is None when none came, and `problem` then says why.

    `text` is what was to be said, or what is said in `clip`; `seconds` is the time that the request took.
    """

    operation: str
    text: str
    language: str
    clip: str = ""
    codec: str = ""
    answer: Answer | None
    problem: str = ""
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the service answered with success."""
        return self.answer is not None and self.answer.ok

    @property
    def body(self) -> bytes:
        """The body of the answer, empty when none came."""
        return self.answer.body if self.answer is not None else b""

    @property
    def transcript(self) -> str:
        """The `text` of a transcription; empty when the answer holds none."""
        try:
            text = json.loads(self.body).get("text", "")
        except (ValueError, AttributeError):
            return ""
        return text if isinstance(text, str) else ""

    @property
    def trouble(self) -> str:
        """Why it is no success, in few words."""
        if self.answer is None:
            return self.problem
        return "" if self.answer.ok else f"{self.answer.status} {_message(self.answer)}"


async def sampled(request: Awaitable[Answer]) -> tuple[Answer | None, str, float]:
    """Await a request: its answer, or why there is none, and the seconds that it took."""
    started = time.monotonic()
    try:
        answer = await request
    except ApiError as error:
        return None, str(error), time.monotonic() - started
    return answer, "", answer.seconds


class Series:
    """Like requests, asked until the rate is judged and there are enough times, or until more can't help.

    `stopped` says why a series ended early; empty while it goes on and when it is complete. `slowest_mean` is the
    limit (seconds) on the mean time: a mean that is refuted ends the series, since the verdict is clear. `failures`
    are the samples that count against the rate.
    """

    def __init__(
        self,
        name: str,
        questions: Sequence[Callable[[], Awaitable[Sample]]],
        plan: RatePlan,
        *,
        most: int,
        slowest_mean: float | None = None,
        fails: Callable[[Sample], bool] = lambda sample: not sample.ok,
    ) -> None:
        self.name = name
        self.samples: list[Sample] = []
        self.failures: list[Sample] = []
        self.stopped = ""
        self.asked = 0
        self._questions = questions
        self._plan = plan
        self._most = most
        self._slowest_mean = slowest_mean
        self._more = max(plan.clean(), FEWEST_TIMES)
        self._fails = fails

    @property
    def seconds(self) -> list[float]:
        """The times that count: of every success, and of every request that got no answer."""
        return [sample.seconds for sample in self.samples if sample.ok or sample.answer is None]

    @property
    def progress(self) -> float:
        """Share of what a clean series needs that has been asked."""
        return self.asked / max(self._plan.clean(), FEWEST_TIMES)

    def wants(self, seconds_left: float) -> bool:
        """Whether one more request should be sent now; notes why not, where it should not for good."""
        if not self.stopped and self.asked >= self._most:
            self.stopped = f"the {self._most} requests that the budget has for it are sent"
        elif not self.stopped and seconds_left <= 0:
            self.stopped = "the time of the budget is spent"
        return not self.stopped and self.asked - len(self.samples) < self._more

    def take(self) -> Coroutine[Any, Any, None]:
        """The next request of the series, which counts as asked from now on."""
        question = self._questions[self.asked % len(self._questions)]
        self.asked += 1
        return self._sample(question)

    async def _sample(self, question: Callable[[], Awaitable[Sample]]) -> None:
        sample = await question()
        self.samples.append(sample)
        if self._fails(sample):
            self.failures.append(sample)
        self._more = self._judge()

    def _judge(self) -> int:
        """How many more are needed after this one; notes that the series ends when its mean is refuted."""
        if self._slow():
            self.stopped = f"the average {self.name} time is already refuted"
        taken = len(self.samples)
        judged = self._plan.judge(len(self.failures), taken)
        if judged.outcome == "fail":
            return 0
        more = judged.more if judged.outcome == "inconclusive" else 0
        return max(more, FEWEST_TIMES - taken)

    def _slow(self) -> bool:
        limit = self._slowest_mean
        if limit is None:
            return False
        times = self.seconds
        if len(times) < FEWEST_TO_REFUTE or fmean(times) < limit:
            return False
        interval = mean_interval(times)
        return interval is not None and interval.low >= limit


async def sample_all(
    series: Sequence[Series], concurrency: int, seconds_left: Callable[[], float], refused: type[Exception]
) -> None:
    """Sample several series side by side, `concurrency` requests at a time, until none wants more.

    An error of type `refused` (no budget left) ends all of them with its text as the reason. Whatever is under way is
    cancelled when this is.
    """
    pending: set[asyncio.Task[None]] = set()
    try:
        while True:
            while len(pending) < concurrency and (chosen := _next(series, seconds_left())) is not None:
                pending.add(asyncio.create_task(chosen.take()))
            if not pending:
                return
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                _finish(task, series, refused)
    finally:
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending)


def _finish(task: asyncio.Task[None], series: Sequence[Series], refused: type[Exception]) -> None:
    try:
        task.result()
    except refused as error:
        for each in series:
            each.stopped = each.stopped or str(error)


def _next(series: Sequence[Series], seconds_left: float) -> Series | None:
    wanting = [each for each in series if each.wants(seconds_left)]
    return min(wanting, key=lambda each: (min(each.asked, _SIDE_BY_SIDE), each.progress), default=None)


def _message(answer: Answer) -> str:
    """The error text of OpenAI's and FastAPI's error bodies, else the body's beginning."""
    try:
        body = json.loads(answer.body)
        error = body.get("error", body.get("detail"))
        text = error.get("message") if isinstance(error, dict) else error
    except (ValueError, AttributeError):
        text = None
    return " ".join(str(text or answer.text(120)).split())[:160]
