"""pytest's terminal reporter, saying what the person on call needs instead of a line a test."""

from typing import Any

import pytest
from _pytest.terminal import TerminalReporter

from checks.criterion import KINDS
from checks.run import Run
from checks.screen import Screen


class Reporter(TerminalReporter):  # type: ignore[misc]  # pytest finds its reporter by this type
    """Prints a line a kind as its last check reports; collection errors as they are; the ending is the plugin's."""

    def __init__(self, config: pytest.Config, screen: Screen, run: Run) -> None:
        super().__init__(config)
        self._screen = screen
        self._run = run
        self._left: dict[str, int] = {}
        self._kinds: dict[str, str] = {}
        self._headed = False

    def pytest_collection(self) -> None:
        """Nothing to say yet."""

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A check that cannot even be collected is told at once."""
        if report.failed:
            self._screen.line(f"cannot collect {report.nodeid}", "fail")
            self._screen.line(self._run.redactor.text(str(report.longrepr)))

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """No header of pytest's own."""
        self._session = session

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Count the checks of each kind."""
        for item in session.items:
            kind = next((kind for kind in KINDS if item.get_closest_marker(kind)), "other")
            self._kinds[item.nodeid] = kind
            self._left[kind] = self._left.get(kind, 0) + 1

    def pytest_deselected(self, items: Any) -> None:
        """Not worth a word."""

    def pytest_runtest_logstart(self, nodeid: str, location: Any) -> None:
        """On a terminal, what is being judged now."""
        del location
        kind = self._kinds[nodeid]
        self._screen.doing(f"  {kind:<12} {self._left[kind]} to go · {self._run.seconds:.0f} s")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A kind's line once its last check has ended."""
        if report.when != "teardown":
            return
        kind = self._kinds[report.nodeid]
        self._left[kind] -= 1
        if self._left[kind] or self._run.error is not None:
            return
        if not self._headed:
            self._headed = True
            target = self._run.target
            self._screen.header(
                f"{target.name} · {target.api.url} · {', '.join(target.hosts)}", self._run.record or "none"
            )
        mine = {check for check, of in self._kinds.items() if of == kind}
        self._screen.kind(
            kind,
            [criterion for criterion in self._run.decided if criterion.check in mine],
            sum(skipped.check in mine for skipped in self._run.not_applicable),
        )

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Nothing more to say."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Any:
        """No progress bar."""
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Any:
        """The plugin writes the ending."""
        del session, exitstatus
        return (yield)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """The verdict says that it was interrupted."""
        del excinfo
        if self._run.error is None:
            self._run.error = "interrupted before everything was judged"

    def pytest_unconfigure(self) -> None:
        """Nothing below the verdict."""
