"""The pytest plugin of the checks: options, the target, `decide`, and the exit policy (DESIGN §5)."""

import os
import signal
import sys
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from checks.criterion import KINDS, criteria
from checks.observation import Decide, Observation
from checks.reporter import Reporter
from checks.run import DeadService, Run
from checks.screen import Screen
from checks.surroundings import Surroundings
from checks.verdict import INTERNAL, run_folder
from target.description import Target
from target.errors import RecordError, TargetError, WrongTarget
from target.host import Host
from target.load import load, locate, secrets
from target.record import Record, Records
from target.redact import Redactor

RUN = pytest.StashKey[Run]()
_DECIDE = pytest.StashKey[Decide]()
_NOT_APPLICABLE = pytest.StashKey[str]()
_HERE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options of a run."""
    group = parser.getgroup("voice-v2")
    group.addoption(
        "--target", metavar="FILE", help="the target file (else VOICE_TARGET, else ./target.yaml)"
    )
    group.addoption(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="override a key of the target file"
    )
    group.addoption(
        "--record", metavar="NAME", help="the record to compare with (else what should be running)"
    )
    group.addoption(
        "--run-dir", metavar="DIR", help="where verdict.json goes (else runs/<UTC time>-<target>/)"
    )
    group.addoption(
        "--allow-skips", metavar="WHY", help="let a run in which nothing applied be a pass, and say why"
    )


def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Start over with this project's configuration where pytest settled on another.

    pytest takes the value of `--target` for a path to test, and looks for its configuration beside that file.
    """
    options = early_config.known_args_namespace
    asked_for = options.target is not None or "post_rollback" in (options.markexpr or "")
    if not asked_for or options.inifilename or early_config.inipath == _HERE.parent / "pyproject.toml":
        return
    settled = ["-c", str(_HERE.parent / "pyproject.toml"), "--rootdir", str(_HERE.parent)]
    places = [] if options.file_or_dir else [str(_HERE)]
    capture = early_config.pluginmanager.getplugin("capturemanager")
    if capture is not None:
        capture.stop_global_capturing()
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *settled, *args, *places])  # noqa: S606  (pytest itself, with its own arguments)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Open the run when it is the checks that were asked for; a target error is a usage error (exit 4)."""
    config.addinivalue_line(
        "markers", "decides(*criteria): the criteria of criteria.yaml that this check decides"
    )
    config.addinivalue_line(
        "markers", "needs(*keys): keys of the target (or record.*) without which it does not apply"
    )
    if not _judging(config):
        return
    try:
        run = _open(config)
    except TargetError as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[RUN] = run
    config.option.tbstyle = "native"  # never shown, and the quickest to make
    if config.option.verbose <= 0 and not config.option.collectonly:
        reporter = Reporter(config, Screen(), run)
        config.pluginmanager.unregister(name="terminalreporter")
        config.pluginmanager.register(reporter, "terminalreporter")
    signal.signal(signal.SIGTERM, _terminated)


def _terminated(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt("terminated")


def _judging(config: pytest.Config) -> bool:
    if config.option.help or getattr(config.option, "markers", False) or config.option.showfixtures:
        return False
    places = [(config.invocation_params.dir / argument.split("::")[0]).resolve() for argument in config.args]
    return bool(places) and all(place == _HERE or _HERE in place.parents for place in places)


def _open(config: pytest.Config) -> Run:
    overrides: dict[str, str] = {}
    for assignment in config.option.set:
        key, equals, value = assignment.partition("=")
        if not equals:
            raise TargetError(
                f"--set {assignment}: write --set key=value, as in --set api.url=http://127.0.0.1:8000"
            )
        overrides[key] = value
    path = locate(config.option.target, os.environ, config.invocation_params.dir)
    target = load(path, environ=os.environ, overrides=overrides)
    try:
        folder = run_folder(config.option.run_dir, config.rootpath, target.name)
    except OSError as error:
        raise TargetError(
            f"{error.filename}: cannot write there: {error.strerror}; choose --run-dir DIR"
        ) from None
    run = Run(
        target,
        criteria(target.criteria, where=str(path)),
        folder,
        Redactor(secrets(target)),
        config.option.allow_skips,
    )
    run.write(INTERNAL)
    return run


def _run(config: pytest.Config) -> Run:
    if RUN not in config.stash:
        raise pytest.UsageError("this needs a target: run it from the checks, as `pytest -m post_rollback`")
    return config.stash[RUN]


@pytest.fixture(scope="session")
def run(pytestconfig: pytest.Config) -> Run:
    """The run that collects what the checks see."""
    return _run(pytestconfig)


@pytest.fixture(scope="session")
def target(run: Run) -> Target:
    """The deployment that is judged."""
    return run.target


@pytest.fixture(scope="session")
async def surroundings(run: Run, pytestconfig: pytest.Config) -> AsyncIterator[Surroundings]:
    """Hosts and record, being fetched while the first requests are under way.

    A record that was asked for by name is there before the first of them. Raises WrongTarget.
    """
    found = Surroundings(run, pytestconfig.option.record)
    found.start()
    try:
        await found.named()
        yield found
    finally:
        await found.close()


@pytest.fixture(scope="session")
async def hosts(surroundings: Surroundings) -> list[Host]:
    """The hosts of the target, each proven to be reachable."""
    return await surroundings.hosts()


@pytest.fixture(scope="session")
async def host(hosts: list[Host]) -> Host:
    """The first host: where the state folder is, and where commands run."""
    return hosts[0]


@pytest.fixture(scope="session")
async def records(target: Target, host: Host) -> Records:
    """The known-good records on the host."""
    return Records(host, target.state_dir)


@pytest.fixture(scope="session")
async def record(surroundings: Surroundings) -> Record:
    """The record to compare with: `--record`, the target's own, else what should be running."""
    return await surroundings.record()


@pytest.fixture
def decide(request: pytest.FixtureRequest, run: Run) -> Decide:
    """Through which a check decides its criteria."""
    decide = Decide(_declared(request.node), run.criteria)
    request.node.stash[_DECIDE] = decide
    return decide


def not_applicable(item: pytest.Item, why: str) -> None:
    """Skip a check that the target offers nothing for; any other skip is undetermined."""
    item.stash[_NOT_APPLICABLE] = why
    pytest.skip(why)


def _declared(item: pytest.Item) -> tuple[str, ...]:
    return tuple(name for mark in item.iter_markers("decides") for name in mark.args)


def kind_of(item: pytest.Item) -> str:
    """The kind that a check is marked with."""
    return next((kind for kind in KINDS if item.get_closest_marker(kind)), "")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Judge in the order in which one would ask: is it there, is it the right one, does it work."""
    if RUN in config.stash:
        items.sort(key=lambda item: KINDS.index(kind_of(item)) if kind_of(item) else len(KINDS))


def pytest_collection_finish(session: pytest.Session) -> None:
    """From here on every selected check must report."""
    run = session.config.stash.get(RUN, None)
    if run is None:
        return
    for item in session.items:
        unknown = [name for name in _declared(item) if name not in run.criteria]
        if unknown:
            raise pytest.UsageError(
                f"{item.nodeid}: {', '.join(unknown)}: no such criterion in checks/criteria.yaml"
            )
        run.expect(item.nodeid, _declared(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn what a check decided, or what kept it from deciding, into its report."""
    report = yield
    run = item.config.stash.get(RUN, None)
    if run is None or call.when == "teardown" or (call.when == "setup" and report.passed):
        return report
    if item.stash.get(_NOT_APPLICABLE, None) is not None:
        run.skip(item.nodeid, item.stash[_NOT_APPLICABLE])
        run.reported.add(item.nodeid)
        return report
    observations = _observations(item, call, run)
    for observation in observations:
        run.observe(item.nodeid, observation)
    _report(item, report, observations, call, run)
    return report


def _observations(item: pytest.Item, call: pytest.CallInfo[Any], run: Run) -> list[Observation]:
    decide = item.stash.get(_DECIDE, None) or Decide(_declared(item), run.criteria)
    error = call.excinfo.value if call.excinfo is not None else None
    if isinstance(error, WrongTarget):
        run.error, run.wrong_target = run.redactor.text(str(error)), True
        item.session.shouldstop = "the target cannot be used"
    for criterion in decide.undecided():
        if isinstance(error, AssertionError):
            decide.failed(
                criterion, False, evidence=str(error).splitlines()[0] if str(error) else "assertion", next=""
            )
        elif error is not None:
            decide.unknown(criterion, evidence=run.explain(item.nodeid, error), next=_mend(error))
        else:
            decide.unknown(
                criterion, evidence=f"{item.name} ended without deciding it", next="mend the check"
            )
    return decide.observations


def _mend(error: BaseException) -> str:
    if isinstance(error, RecordError):
        return "python -m rollback record"
    return ""


def _report(
    item: pytest.Item,
    report: pytest.TestReport,
    observations: list[Observation],
    call: pytest.CallInfo[Any],
    run: Run,
) -> None:
    bad = [observation for observation in observations if observation.outcome != "pass"]
    error = call.excinfo.value if call.excinfo is not None else None
    if not _declared(item):
        if isinstance(error, AssertionError):
            run.broken.append(item.nodeid)
        if error is None or isinstance(error, AssertionError):
            run.reported.add(item.nodeid)
        return
    run.reported.add(item.nodeid)
    if bad and not isinstance(error, DeadService):
        report.outcome = "failed"
        report.longrepr = "\n".join(
            f"{observation.criterion}: {observation.outcome}: {run.redactor.text(observation.evidence)}"
            + (f"\n  next: {run.redactor.text(observation.next)}" if observation.next else "")
            for observation in bad
        )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the verdict; the exit code is its own."""
    run = session.config.stash.get(RUN, None)
    if run is None or session.config.option.collectonly:
        return
    if run.wrong_target:
        exitstatus = int(pytest.ExitCode.USAGE_ERROR)
    elif exitstatus == pytest.ExitCode.USAGE_ERROR:
        run.error = "the command line cannot be used, so nothing was judged"
    elif exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        run.error = "no check was selected, so nothing was judged; see `pytest --markers`"
    elif exitstatus == pytest.ExitCode.TESTS_FAILED:
        exitstatus = int(pytest.ExitCode.OK)
    verdict, path = run.write(int(exitstatus))
    session.exitstatus = verdict.exit_code
    Screen().ending(verdict, path)
