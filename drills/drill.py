"""One drill: steady, counted, loaded, broken, noticed, rolled back, judged, counted again, healed."""

import shlex
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from drills import detection, inventory, recovery
from drills.collateral import collateral, left_over
from drills.detection import Judged, Triaged
from drills.faults import active
from drills.faults.fault import Fault
from drills.inventory import Broken, Inventory
from drills.operator import Operator, Typed, typed_on
from drills.outcome import Drilled, Finding, Rto
from drills.runfolder import RunFolder
from drills.settle import settle
from drills.stacks.errors import StackError
from drills.stacks.stack import Stack
from drills.traffic.traffic import Traffic
from rollback.budget import BUDGET_S
from rollback.snapshots.catalogue import SHARED
from target import load
from target.errors import TargetError
from target.wait import Seen, eventually

_TRIAGE_S = 120.0
_CHECKS_S = 240.0
_LONG_CHECKS_S = 900.0
_ROLLBACK_S = 900.0
_RESTART_S = 60.0
_SNAPSHOT_S = 120.0
_PER_SECOND = 3.0
_WARM = 6  # acknowledged calls before the fault
_WARM_S = 20.0
_SHOWN = 3
_ENDED = (0, 1, 5)  # exit codes of a rollback after which nothing is left to be gone on with
_UNDECIDED = (2, 4)  # exit codes of a rollback that say nothing of whether it cures

Say = Callable[[str], None]


class Drill:
    """A drill of one fault on a stack that is up, at the deployment of it that `target_file` describes.

    `steady` is what the drill before has proven already; None has the operator's checks run first.
    """

    def __init__(
        self,
        stack: Stack,
        fault: Fault,
        target_file: Path,
        folder: RunFolder,
        say: Say,
        steady: Finding | None,
    ) -> None:
        self._stack = stack
        self._fault = fault
        self._folder = folder
        self._say = say
        self._target_file = target_file
        self._operator = Operator(target_file)
        target = load.load(target_file, environ={})
        self._journals_in = Path(target.state_dir) / "journals"
        self._traffic = Traffic(target.api.url, stack.secrets.api_token, folder.path, _PER_SECOND)
        self._rolling = False  # a rollback was begun, and is not known to have come to its end
        self._drilled = Drilled(
            fault=fault.name,
            family=fault.family,
            stack=stack.kind,
            target=str(target_file),
            cure="restart" if fault.restart else fault.cure,
            level=fault.level,
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            folder=str(folder.path),
            steady=steady,
        )

    def carry_out(self) -> Drilled:
        """Carry it out, whatever it comes upon; traffic is stopped and the fault healed in any case."""
        began = time.monotonic()
        before: Inventory | None = None
        try:
            if self._is_steady():
                before = self._prepared()
                self._rehearsed(before)
        except TargetError as error:
            self._drilled.trouble = self._folder.text(str(error).splitlines()[0])
            self._happened("it cannot go on", str(error))
        finally:
            self._traffic.stop()
            self._cleaned(before)
            self._drilled.seconds = round(time.monotonic() - began, 3)
            self._drilled.judge()
            self._folder.keep_logs()
            self._folder.write_json("drill.json", self._drilled)
        return self._drilled

    def _is_steady(self) -> bool:
        steady = self._drilled.steady
        if steady is None:
            typed, judged = self._judges("steady")
            steady = self._drilled.steady = _green(typed, judged)
        self._happened("steady state", steady.says)
        return steady.holds is True

    def _prepared(self) -> Inventory:
        """Count what there is, and start the traffic.

        Where the cure brings data back, the traffic waits while the backup is taken and the fault injected: what is
        gone in the end, the rollback has lost, and not the time since the last backup.
        """
        if self._fault.cure not in SHARED:
            found = inventory.take(self._stack)
            self._loads()
            return found
        self._loads()
        self._traffic.stop()
        typed = self._types("rollback", "snapshot", self._fault.cure, limit_s=_SNAPSHOT_S)
        if typed.exit != 0:
            raise StackError(f"the backup was not taken: {typed.says}")
        return inventory.take(self._stack)

    def _loads(self) -> None:
        self._traffic.start()

        def look() -> Seen:
            calls = sum(call.acknowledged for call in self._traffic.calls())
            return Seen(calls >= _WARM, f"{calls} calls acknowledged", final=not self._traffic.runs())

        waited = eventually(look, deadline_s=_WARM_S)
        self._happened("traffic", waited.seen)
        if not waited.met:
            raise StackError(f"the traffic does not come about: {waited.seen}")

    def _rehearsed(self, before: Inventory) -> None:
        began = time.monotonic()
        try:
            evidence = active.inject(self._stack, self._fault.name)
        except TargetError as error:
            self._drilled.landed = Finding(False, self._folder.text(str(error).splitlines()[0]))
            self._happened("the fault did not land", str(error))
            return
        broken = time.time()
        self._drilled.landed = Finding(True, self._folder.text(evidence))
        self._drilled.landing_s = round(time.monotonic() - began, 3)
        self._happened("fault landed", evidence)
        if self._fault.cure in SHARED:
            self._traffic.start()
        with ThreadPoolExecutor(1) as threads:
            near = threads.submit(inventory.broken, self._stack, before)
            typed = self._types("checks", "triage", "--json", limit_s=_TRIAGE_S)
            detect_s = typed.seconds
            found = detection.triaged(typed)
            self._detected(found, typed)
            if self._fault.cure is None:
                self._healed(broken)
            else:
                self._rolled_back(self._fault.cure, found, broken, detect_s, before, near)

    def _detected(self, found: Triaged | None, typed: Typed) -> None:
        if found is None:
            finding = Finding(None, f"triage came to no finding ({typed.says})")
        else:
            self._folder.write("triage.json", typed.out)
            self._drilled.scenario = found.scenario
            finding = detection.by_triage(self._fault, found)
            if not finding.holds and self._fault.scenario is None:
                judged_typed, judged = self._judges("detected", self._fault.budget)
                finding = detection.by_checks(self._fault, judged, judged_typed.says)
        self._drilled.detected = finding
        self._happened("noticed" if finding.holds else "not noticed", finding.says)

    def _healed(self, broken: float) -> None:
        """A fault that no rollback cures: it is healed, and the checks are green again."""
        active.heal(self._stack, self._fault.name)
        mended = time.time()
        self._happened("healed")
        self._verified(broken, mended)

    def _rolled_back(
        self,
        cure: str,
        found: Triaged | None,
        broken: float,
        detect_s: float,
        before: Inventory,
        near: "Future[Broken]",
    ) -> None:
        fault_left = near.result()
        journals = set(self._journals())
        self._rolling = True
        began = time.time()
        typed = self._cures(cure, found)
        ended = time.time()
        self._rolling = typed.exit not in _ENDED
        self._folder.write("rollback.txt", f"$ {typed.command}\n{typed.out}{typed.errors}")
        written = sorted(set(self._journals()) - journals)
        changed = None
        if written:
            self._folder.keep_journal(written[-1])
            changed = recovery.first_change(written[-1].read_bytes())
        self._happened("rolled back" if typed.exit == 0 else "not rolled back", typed.says)
        if typed.exit != 0:
            holds = None if typed.exit in _UNDECIDED else False
            self._drilled.cured = Finding(holds, self._folder.text(f"{typed.command}: {typed.says}"))
            self._drilled.traffic = self._traffic_finding(broken, None)
            return
        verify_s = self._verified(broken, ended)
        decide_s, act_s = recovery.split(began, ended, changed)
        self._drilled.rto = Rto(
            detect_s=round(detect_s, 3),
            decide_s=round(decide_s, 3),
            act_s=round(act_s, 3),
            verify_s=round(verify_s, 3),
            budget_s=BUDGET_S[self._fault.level or 0],
        )
        self._counted_again(cure, fault_left, before, left=typed.left)

    def _cures(self, cure: str, found: Triaged | None) -> Typed:
        """What triage named: a restart where that is enough, else the action."""
        restart = detection.restart_words(found) if self._fault.restart else []
        if not restart:
            return self._types("rollback", *detection.rollback_words(cure, found), limit_s=_ROLLBACK_S)
        self._happened(f"$ {shlex.join(restart)}")
        return typed_on(self._stack.host, restart, limit_s=_RESTART_S)

    def _verified(self, broken: float, mended: float) -> float:
        """The operator's own checks on what was mended, under load; the seconds that they took."""
        typed, judged = self._judges(".")
        self._drilled.cured = _green(typed, judged)
        self._drilled.traffic = self._traffic_finding(broken, mended)
        self._happened("judged", self._drilled.cured.says)
        return typed.seconds

    def _traffic_finding(self, broken: float, mended: float | None) -> Finding:
        alive = self._traffic.runs()
        self._traffic.stop()
        return recovery.traffic_ran(self._traffic.calls(), broken=broken, mended=mended, alive=alive)

    def _counted_again(self, cure: str, fault_left: Broken, before: Inventory, *, left: bool) -> None:
        self._stack.supervisor.wait_settled()
        after = inventory.take(self._stack, before)
        calls = self._traffic.calls()
        self._drilled.lost = lost = recovery.lost(calls, after)
        self._happened("RPO", f"{lost.count} of {lost.acknowledged} acknowledged writes are gone")
        changes = [str(change) for change in collateral(cure, fault_left, before, after, calls)]
        changes += ["process: the rollback left some running"] if left else []
        self._folder.write_json("collateral.json", changes)
        self._drilled.collateral = _nothing(changes, "nothing else changed")
        self._happened("collateral", self._drilled.collateral.says)

    def _cleaned(self, before: Inventory | None) -> None:
        """Heal what is broken still, and prove that all is as before."""
        try:
            if self._rolling:
                settle(self._stack, self._target_file)
            elif any(item.name == self._fault.name for item in active.active(self._stack)):
                active.heal(self._stack, self._fault.name)
            if before is None:
                self._drilled.cleaned = Finding(True, "nothing was changed")
                return
            self._stack.wait_service()
            self._stack.supervisor.wait_settled()
            healed = inventory.take(self._stack, before)
            changes = [str(change) for change in left_over(before, healed, self._traffic.calls())]
            self._drilled.cleaned = _nothing(changes, "all is as before")
        except TargetError as error:
            self._drilled.cleaned = Finding(False, self._folder.text(str(error).splitlines()[0]))
        self._happened("cleaned up", self._drilled.cleaned.says)

    def _judges(self, folder: str, budget: int | None = None) -> tuple[Typed, Judged | None]:
        """`pytest -m post_rollback`, its verdict in that folder of the run's; `budget` is how many requests it has."""
        where = self._folder.path / folder
        words = ["pytest", "-m", "post_rollback", "--run-dir", str(where)]
        words += ["--set", f"budget.requests={budget}"] if budget else []
        typed = self._types(*words, limit_s=_CHECKS_S if budget is None else _LONG_CHECKS_S)
        where.mkdir(exist_ok=True)
        (where / "checks.txt").write_text(self._folder.text(typed.out + typed.errors), "utf-8")
        try:
            content = (where / "verdict.json").read_bytes()
            return typed, msgspec.json.decode(content, type=Judged)
        except (FileNotFoundError, msgspec.DecodeError):
            return typed, None

    def _types(self, *words: str, limit_s: float) -> Typed:
        self._happened(f"$ {shlex.join(words)}")
        return self._operator.types(*words, limit_s=limit_s)

    def _journals(self) -> list[Path]:
        return list(self._journals_in.glob("*.jsonl"))

    def _happened(self, what: str, says: str = "") -> None:
        self._folder.happened(what, says)
        self._say(self._folder.text(f"  {what}{': ' if says else ''}{says.splitlines()[0] if says else ''}"))


def _green(typed: Typed, judged: Judged | None) -> Finding:
    """Whether the operator's checks passed."""
    if judged is None or typed.exit != judged.exit_code:
        return Finding(None, f"the checks came to no verdict ({typed.says})")
    if typed.exit == 0:
        return Finding(True, f"the checks are green ({len(judged.criteria)} criteria)")
    if typed.exit == 1:
        return Finding(False, f"the checks failed: {', '.join(judged.failed[:_SHOWN])}")
    open_ones = [str(each["name"]) for each in judged.criteria if each["outcome"] == "inconclusive"]
    return Finding(None, f"the checks could not tell: {', '.join(open_ones[:_SHOWN]) or typed.says}")


def _nothing(changes: list[str], says: str) -> Finding:
    if not changes:
        return Finding(True, says)
    rest = len(changes) - _SHOWN
    shown = "; ".join(changes[:_SHOWN])
    return Finding(False, f"{shown}{f' and {rest} more' if rest > 0 else ''}")
