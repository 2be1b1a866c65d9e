"""`make bench`: how much of the operator's time the suite itself costs, measured on real runs (DESIGN §7).

Prints its figures with the promise beside each; exits 1 when a promise is broken. Not a test: a busy machine is no
defect of the code.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from perf import actions, objects, rows
from perf.sshd import NoSshd
from target.load import load

ROOT = Path(__file__).parents[1]
CHECKS = ("-m", "pytest", "-m", "post_rollback")
SLOW_S = 0.5
_LONGEST_S = 300.0
_ASKS_A_PROVIDER = (
    "tts_success_rate",
    "stt_success_rate",
    "tts_word_error_rate",
    "all_providers_healthy",
    "provider_fallback_working",
)


class Figure(msgspec.Struct, frozen=True):
    """One measurement: what, how much, in which unit, and the most that is promised."""

    what: str
    value: float
    unit: str
    promised: float

    @property
    def kept(self) -> bool:
        """Whether the promise is kept."""
        return self.value <= self.promised


class BenchError(Exception):
    """Something that is to be measured could not be run."""


def main() -> int:
    """Measure everything, print as it comes."""
    figures = []
    with tempfile.TemporaryDirectory(prefix="voice-bench-") as folder:
        try:
            for figure in measure(Path(folder)):
                figures.append(figure)
                mark = "" if figure.kept else "   BROKEN"
                print(f"{figure.what:<58} {figure.value:7.2f} {figure.unit:<2} of {figure.promised:g}{mark}")
        except (BenchError, actions.ActionError, NoSshd, subprocess.TimeoutExpired) as error:
            print(f"bench: {error}", file=sys.stderr)
            return 1
    return 0 if all(figure.kept for figure in figures) else 1


def measure(folder: Path) -> Iterator[Figure]:
    """Every figure, in the order of how long it takes."""
    beside = ROOT / ".cache" / "bench"
    beside.mkdir(parents=True, exist_ok=True)
    for where, place in (("in the project", beside), ("elsewhere", folder)):
        seconds = statistics.median(first_request(place) for _ in range(5))
        yield Figure(f"Enter to first request, target file {where}, median of 5", seconds, "s", 1.0)
    yield Figure("dead target, Enter to verdict", dead_target(folder), "s", 5.0)
    with stack(folder / "quick", 0.02) as (up, description):
        yield Figure("embedded stack up and recorded", up, "s", 20.0)
        yield Figure("pytest -m post_rollback, providers at 20 ms", judge(description)[0], "s", 15.0)
        yield from restore(description, folder / "objects")
        for what, seconds in actions.costs(description, folder / "quick", folder / "ssh", run):
            yield Figure(what, seconds, "s", 6.0 if "ssh" in what else 2.0)
        yield bring_back(description)
    with stack(folder / "slow", SLOW_S) as (_, description):
        seconds, verdict = judge(description)
        yield Figure(
            "pytest -m post_rollback, providers at 500 ms, to its limit",
            seconds / physical_limit(verdict, load(description, environ=os.environ).budget.concurrency),
            "x",
            1.3,
        )


def restore(description: Path, folder: Path) -> Iterator[Figure]:
    """Restoring objects on the storage of a stack, in buckets of their own. Raises BenchError where it is not done."""
    folder.mkdir()
    store = load(description, environ=os.environ).objects
    if store is None:
        raise BenchError("the stack has no storage")
    target = str(objects.prepare(store, folder))
    for what in (f"compare {objects.COUNT:,} objects, restore {objects.WRONG:,}", "compare them again"):
        started = time.monotonic()
        done = run("-m", "rollback", "objects", "--target", target)
        seconds = time.monotonic() - started
        if done.returncode != 0 or not objects.restored(store):
            raise BenchError(f"the objects were not restored:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        yield Figure(f"rollback objects: {what}, of 20 kB each", seconds, "s", 60.0)


def bring_back(description: Path) -> Figure:
    """Bringing a million rows back into the usage log of a stack. Raises BenchError where it is not done."""
    rows.lose(load(description, environ=os.environ))
    started = time.monotonic()
    done = run("-m", "rollback", "database", "--target", str(description))
    seconds = time.monotonic() - started
    if done.returncode != 0 or f"{rows.MILLION} rows brought back" not in done.stdout:
        raise BenchError(f"the rows were not brought back:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return Figure(f"rollback database: {rows.MILLION:,} rows brought back", seconds, "s", 60.0)


def physical_limit(verdict: Path, concurrency: int) -> float:
    """N × latency / concurrency: the seconds that the requests which wait for a provider must take at the least."""
    criteria = {
        criterion["name"]: criterion for criterion in json.loads(verdict.read_text("utf-8"))["criteria"]
    }
    requests = sum(criteria[name]["n"] or 0 for name in _ASKS_A_PROVIDER)
    return requests * SLOW_S / concurrency


def judge(description: Path) -> tuple[float, Path]:
    """Run the operator's own command; wall seconds and the verdict. Raises BenchError when it is not green."""
    folder = description.parent / "bench-run"
    started = time.monotonic()
    done = run(*CHECKS, "--target", str(description), "--run-dir", str(folder))
    seconds = time.monotonic() - started
    if done.returncode != 0:
        raise BenchError(f"a healthy stack was judged {done.returncode}:\n{done.stdout[-3000:]}")
    return seconds, folder / "verdict.json"


def first_request(folder: Path) -> float:
    """Seconds from starting pytest to the first connection that it opens to the target."""
    arrived: list[float] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.settimeout(30)

        def answer() -> None:
            connection, _ = server.accept()
            arrived.append(time.monotonic())
            connection.close()

        waiting = threading.Thread(target=answer)
        waiting.start()
        description = describe(folder, server.getsockname()[1])
        started = time.monotonic()
        run(*CHECKS, "--target", str(description), "--run-dir", str(folder / "run"), "-m", "health")
        waiting.join(30)
    if not arrived:
        raise BenchError("the checks never asked the target")
    return arrived[0] - started


def dead_target(folder: Path) -> float:
    """Seconds until the verdict on a target where nothing listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    started = time.monotonic()
    done = run(*CHECKS, "--target", str(describe(folder, port)), "--run-dir", str(folder / "run"))
    seconds = time.monotonic() - started
    if done.returncode != 1:
        raise BenchError(f"a dead target was judged {done.returncode}:\n{done.stdout[-3000:]}")
    return seconds


def describe(folder: Path, port: int) -> Path:
    """A target file for a URL alone."""
    path = folder / "target.yaml"
    path.write_text(
        f"name: bench\nstate_dir: {folder}/state\napi: {{url: 'http://127.0.0.1:{port}'}}\n", "utf-8"
    )
    return path


@contextmanager
def stack(folder: Path, latency_s: float) -> Iterator[tuple[float, Path]]:
    """An embedded stack of the drills, by its own command line; seconds to come up, and its target file."""
    started = time.monotonic()
    done = run("-m", "drills", "up", "--dir", str(folder), "--latency", str(latency_s))
    seconds = time.monotonic() - started
    try:
        if done.returncode != 0:
            raise BenchError(f"no stack:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        yield seconds, folder / "target.yaml"
    finally:
        run("-m", "drills", "down", "--dir", str(folder))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run this interpreter in the project's folder, bounded."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=_LONGEST_S,
        check=False,
    )


if __name__ == "__main__":
    sys.exit(main())
