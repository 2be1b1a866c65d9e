"""The step that restarts the service and waits until it is ready, in either direction."""

from collections.abc import Callable

from rollback.errors import Refused, StepFailed
from rollback.readiness import look_for_ready, ready, started, started_after
from rollback.site import Site
from rollback.step import Course, Finding, Step
from target.errors import HostError
from target.service import ServiceStatus
from target.wait import Seen, Waited, eventually

_LOG_LINES = 8
_APART_S = 0.05


def controllable(site: Site) -> ServiceStatus:
    """What the service control says now. Raises Refused where it cannot be asked: nothing could be restarted."""
    try:
        return site.service.status()
    except HostError as error:
        raise Refused(f"the service could not be restarted, so nothing was changed: {error}") from error


class Restart(Step):
    """Restarts; after a crash only where no process younger than `changed()` (when the switch happened) runs yet.

    `was_ready` is whether the service worked before the action: only then does the way back have to end in a service
    that is ready. `pid` was its main process before the action: what tells the old process from a new one is its
    number, since the host's clock may be set at any time.
    """

    name = "restart"
    settles = True

    def __init__(
        self, site: Site, changed: Callable[[], float], *, was_ready: bool, pid: int | None = None
    ) -> None:
        self.site = site
        self.changed = changed
        self.was_ready = was_ready
        self.pid = pid
        self.ready_s = site.target.service.ready_s if site.target.service else 0.0
        self.timeout_s = self.ready_s + 60.0
        self._ready = ""

    @property
    def commands(self) -> tuple[str, ...]:
        return (
            self.site.service.commands("restart"),
            f"wait up to {self.ready_s:g} s until /health says that it works",
        )

    @property
    def undoes(self) -> str:
        return f"{self.site.service.commands('restart')}, unless the process of before still runs"

    def preflight(self) -> list[Finding]:
        return []  # the survey has asked the service control

    def apply(self, course: Course, /) -> None:
        changed, status = self.changed(), self.site.service.status()
        old = self.pid
        if not (course.again and self._is_new(status, changed)):
            old = status.pid
            course.report(self.site.service.commands("restart"))
            self._restart(changed)
        waited = self._wait(course, old)
        if not waited.met:
            raise StepFailed(
                f"{self.site.service.name} was not ready after {waited.attempts} attempts in {waited.seconds:.0f} s: "
                f"{waited.seen}",
                self._last_words(),
            )
        self._ready = f", ready at the {_ordinal(waited.attempts)} attempt"

    def verify(self) -> str:
        if not self._ready:
            status = self.site.service.status()
            if not self._is_new(status, self.changed()):
                raise StepFailed(f"{self.site.service.name} runs the process of before: {started(status)}")
            works, seen, _ = ready(self.site)
            if not works:
                raise StepFailed(f"{self.site.service.name} is not ready: {seen}")
        return f"{self.site.service.name}{self._ready or ', ready'}"

    def undo(self, course: Course, /) -> str:
        changed, status = self.changed(), self.site.service.status()
        name = self.site.service.name
        if status.state == "running" and status.pid is not None and status.pid == self.pid:
            return f"{name} still runs with the process of before"
        try:
            self._restart(changed)
        except StepFailed as error:
            # A controller that cannot be asked, or a process with what was tried, is not the state before.
            if self.was_ready or self.site.service.status().state == "running":
                raise
            return f"{name} does not start, as before: {error}"
        waited = self._wait(course, status.pid, any_answer=not self.was_ready)
        if waited.met:
            return f"{name} runs with what was there before, ready at the {_ordinal(waited.attempts)} attempt"
        if self.was_ready:
            raise StepFailed(
                f"{name} worked before, and is not ready again: {waited.seen}", self._last_words()
            )
        return f"{name} was restarted and does not work, as before: {waited.seen}"

    def _restart(self, changed: float) -> None:
        # The start of a process is known to some hundredths of a second: keep it clear of the moment of the switch.
        eventually(
            lambda: Seen(met=self.site.host.now() > changed + _APART_S, seen=""),
            deadline_s=1.0,
            interval_s=_APART_S,
        )
        try:
            self.site.service.restart()
        except HostError as error:
            raise StepFailed(str(error), self._last_words()) from error

    def _is_new(self, status: ServiceStatus, changed: float) -> bool:
        """Whether a process runs that is younger than the switch, and another than that of before."""
        return started_after(status, changed) and (self.pid is None or status.pid != self.pid)

    def _wait(self, course: Course, old: int | None, *, any_answer: bool = False) -> Waited:
        return eventually(
            look_for_ready(self.site, old, course.stop, any_answer=any_answer),
            deadline_s=min(self.ready_s, course.left()),
            on_attempt=lambda attempt, seen: course.report(f"attempt {attempt}: {seen.seen}"),
        )

    def _last_words(self) -> tuple[str, ...]:
        """The last lines that the service logged, redacted; or why there are none."""
        try:
            lines = self.site.service.logs(_LOG_LINES * 2).strip().splitlines()
        except HostError as error:
            return (f"(its log cannot be read: {error})",)
        return tuple(self.site.redactor.text(line) for line in lines[-_LOG_LINES:])


def _ordinal(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
