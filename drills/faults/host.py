"""Faults of the host as the service meets them: no room, no memory left over, no processor, no files, a wrong clock."""

import contextlib
import importlib.util
import resource
import subprocess
import sys
import threading
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import msgspec
import psutil

from checks.clips import clips
from drills.faults import hook
from drills.faults.fault import Fault, FaultError, Place
from drills.stacks.commands import base_environment
from drills.stacks.layout import MARK
from drills.stacks.stack import Stack
from target.host import Ran
from target.record import Records
from target.wait import Seen, eventually

_REPOSITORY = Path(__file__).resolve().parents[2]
_NO_MORE = 3  # none but the three standard ones could be opened
_LOOKS, _BETWEEN_S = 100, 0.013
_ENDS_S = 10.0
_GROWN = 3.5
_NEAR_S = 30.0
# The process becomes itself once more, with a library before the system's own that tells it the time.
_CLOCK = """\
import os
if "FAKETIME" not in os.environ:
    os.environ.update(LD_PRELOAD=LIBRARY, FAKETIME="-{behind}s", DONT_FAKE_MONOTONIC="1")
    os.execv(sys.executable, sys.orig_argv)
"""

_NO_FLAC = """\
import soundfile
info = soundfile.info
def without_flac(file, *more):
    found = info(file, *more)
    if found.format == "FLAC":
        raise soundfile.LibsndfileError(1)
    return found
soundfile.info = without_flac
"""
_HEARD = 200
_OVER = 1_200_000_000
_TAKE_S = 30.0
_SPARE_KIB = 256

# $1 is the folder, $2 where its content is set aside meanwhile. What is mounted is as large as needed to be full.
_FILL = """
set -e
cp -a -- "$1/." "$2"
used=$(du -sk -- "$2" | cut -f1)
mount -t tmpfs -o "size=$((2 * used + $3))k,mode=$(stat -c %a -- "$1")" voice-drill "$1"
cp -a -- "$2/." "$1"
cat /dev/zero > "$1/.filled" 2>/dev/null || true
"""
_WRITE = """head -c 4096 /dev/zero > "$1/.written" """
_EMPTY = """
while mountpoint -q -- "$1"; do umount -- "$1" || exit 1; done
rm -f -- "$1/.filled" "$1/.written"
"""


class _Limits(msgspec.Struct, frozen=True):
    """The limit of open files (soft, hard) of a process, which is known by its pid and its start."""

    pid: int
    started: float
    soft: int
    hard: int


class OutOfDescriptors(Fault, frozen=True):
    """The service's process may open nothing more: no connection, no file."""

    def prepare(self, at: Place) -> None:
        main = _main(at.stack)
        soft, hard = main.rlimit(resource.RLIMIT_NOFILE)
        limits = _Limits(main.pid, main.create_time(), soft, hard)
        (at.saved / "limits.json").write_bytes(msgspec.json.encode(limits))

    def inject(self, at: Place) -> None:
        _, hard = _main(at.stack).rlimit(resource.RLIMIT_NOFILE)
        _main(at.stack).rlimit(resource.RLIMIT_NOFILE, (_NO_MORE, hard))

    def landed(self, at: Place) -> str:
        main = _main(at.stack)
        soft, _ = main.rlimit(resource.RLIMIT_NOFILE)
        if soft != _NO_MORE:
            raise FaultError(f"{self.name}: process {main.pid} may open {soft} files")
        if at.stack.health() is not None:
            raise FaultError(f"{self.name}: the service answers all the same")
        return f"process {main.pid} has {main.num_fds()} files open and may have {soft}; it answers nobody"

    def heal(self, at: Place) -> None:
        was = msgspec.json.decode((at.saved / "limits.json").read_bytes(), type=_Limits)
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(was.pid)
            if process.create_time() == was.started:
                process.rlimit(resource.RLIMIT_NOFILE, (was.soft, was.hard))
        at.stack.restart_service()  # it remembers a provider that it could not reach until it needs that one again


class CpuStarved(Fault, frozen=True):
    """The service's process is stopped but for some thousandths of the time; nothing else on the machine is starved."""

    def _order(self, at: Place) -> Path:
        return at.saved / "starving"

    def inject(self, at: Place) -> None:
        self._order(at).touch()
        environment = {**base_environment(), MARK: str(at.stack.layout.root)}
        with (at.saved / "starve.log").open("wb") as log:
            # It goes on by itself, and belongs to nobody here.
            subprocess.run(
                [
                    *("setsid", "--fork", sys.executable, "-m", "drills.faults.starve"),
                    *(str(at.stack.layout.root), str(self._order(at))),
                ],
                cwd=_REPOSITORY,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=_ENDS_S,
                check=True,
            )

    def landed(self, at: Place) -> str:
        main = _main(at.stack)

        def look() -> Seen:
            stopped = _stopped(main)
            return Seen(stopped * 2 >= _LOOKS, f"stopped at {stopped} of {_LOOKS} looks")

        waited = eventually(look, deadline_s=_ENDS_S)
        if not waited.met:
            raise FaultError(f"{self.name}: process {main.pid} runs ({waited.seen})")
        return f"process {main.pid} was {waited.seen}"

    def heal(self, at: Place) -> None:
        self._order(at).unlink(missing_ok=True)
        at_work = [process for process in psutil.process_iter() if _starves(process, at.stack)]
        _, alive = psutil.wait_procs(at_work, timeout=_ENDS_S)
        for process in alive:
            process.kill()
        for process in at.stack.service_processes():
            process.resume()
        at.stack.restart_service()  # as above, of one that came too late


class Grown(Fault, frozen=True):
    """The service's process holds several times the memory that was recorded of it, and `at_least` bytes."""

    at_least: int = 0

    def _wanted(self, at: Place) -> int:
        return max(int(_GROWN * self._usual(at)), self.at_least)

    def _usual(self, at: Place) -> int:
        """Resident bytes as recorded, or as they were before where nothing was or less."""
        record = Records(at.stack.host, str(at.stack.layout.state)).expected()
        then = record.memory_bytes if record is not None else None
        return max(then or 0, int((at.saved / "resident").read_text()))

    def prepare(self, at: Place) -> None:
        (at.saved / "resident").write_text(str(_resident(at.stack)))

    def inject(self, at: Place) -> None:
        hook.put(at.stack, f"held = b'\\xa5' * {self._wanted(at)}")
        at.stack.restart_service()

    def landed(self, at: Place) -> str:
        now, usual = _resident(at.stack), self._usual(at)
        if now < self._wanted(at):
            raise FaultError(f"{self.name}: the service takes {now >> 20} MiB, usually {usual >> 20} MiB")
        return f"the service takes {now >> 20} MiB, usually {usual >> 20} MiB"

    def heal(self, at: Place) -> None:
        hook.remove(at.stack)
        at.stack.restart_service()


class CodecGone(Fault, frozen=True):
    """The library that the service decodes recordings with knows FLAC no more."""

    def inject(self, at: Place) -> None:
        hook.put(at.stack, _NO_FLAC)
        at.stack.restart_service()

    def landed(self, at: Place) -> str:
        status = self._hears(at.stack)
        if status == _HEARD:
            raise FaultError(f"{self.name}: a recording in FLAC is transcribed")
        return f"a recording in FLAC is answered {status}"

    def heal(self, at: Place) -> None:
        hook.remove(at.stack)
        at.stack.restart_service()

    @staticmethod
    def _hears(stack: Stack) -> int:
        clip = next(clip for clip in clips() if clip.codec == "flac")
        return stack.client.post(
            f"{stack.url}/v1/audio/transcriptions",
            headers={"Authorization": f"Bearer {stack.secrets.api_token}", "X-Voice-Client": "drill-probe"},
            files={"file": (clip.file, clip.audio())},
        ).status_code


class ClockOff(Fault, frozen=True):
    """The service's process sees a clock that is behind; neither time as it passes nor the machine is off."""

    behind_s: int

    def inject(self, at: Place) -> None:
        found = importlib.util.find_spec("libfaketime")
        folder = Path(found.origin).parent if found and found.origin else Path("libfaketime")
        library = folder / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
        if not library.exists():
            raise FaultError(f"{self.name}: {library} is missing; install requirements-dev.txt")
        hook.put(at.stack, _CLOCK.format(behind=self.behind_s), library)
        at.stack.restart_service(status=None)

    def landed(self, at: Place) -> str:
        answer = at.stack.ask("GET", "/health", direct=True)
        date = answer.headers["date"]
        behind = (datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds()
        if abs(behind - self.behind_s) > _NEAR_S:
            raise FaultError(f"{self.name}: the service says that it is {date}, {behind:.0f} s ago")
        return f"the service says that it is {date}, {behind:.0f} s ago"

    def heal(self, at: Place) -> None:
        hook.remove(at.stack)
        at.stack.restart_service()


class DiskFull(Fault, frozen=True):
    """The file system of `state_dir` takes no byte more. Only root can mount one."""

    def _shell(self, at: Place, script: str, *arguments: str) -> Ran:
        return at.stack.host.shell(script, str(at.stack.layout.state), *arguments, timeout_s=_TAKE_S)

    def inject(self, at: Place) -> None:
        aside = at.saved / "state"
        aside.mkdir(mode=0o700)
        done = self._shell(at, _FILL, str(aside), str(_SPARE_KIB))
        if not done.ok:
            raise FaultError(f"{self.name}: no small disk can be mounted, root may: {done.stderr.strip()}")

    def landed(self, at: Place) -> str:
        tried = self._shell(at, _WRITE)
        if tried.ok:
            raise FaultError(f"{self.name}: {at.stack.layout.state} can be written to")
        return f"a write to {at.stack.layout.state}: {tried.stderr.strip().rpartition(': ')[2]}"

    def heal(self, at: Place) -> None:
        done = self._shell(at, _EMPTY)
        if not done.ok:
            raise FaultError(f"{self.name}: {at.stack.layout.state} stays full: {done.stderr.strip()}")


def _main(stack: Stack) -> psutil.Process:
    found = stack.service_processes()
    if not found:
        raise FaultError("the service does not run")
    return found[0]


def _resident(stack: Stack) -> int:
    return sum(process.memory_info().rss for process in stack.service_processes())


def _stopped(process: psutil.Process) -> int:
    """At how many of some looks, a second in all, the process was stopped."""
    pause, found = threading.Event(), 0
    for _ in range(_LOOKS):
        found += process.status() == psutil.STATUS_STOPPED
        pause.wait(_BETWEEN_S)
    return found


def _starves(process: psutil.Process, stack: Stack) -> bool:
    try:
        words = process.cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
    return "drills.faults.starve" in words and str(stack.layout.root) in words


FAULTS: tuple[Fault, ...] = (
    OutOfDescriptors(
        name="descriptors-used-up",
        says="the service's process may open no further file or connection",
        part="files of the process",
        must=("service_ready",),
        scenario=1,
    ),
    CpuStarved(
        name="cpu-starved",
        says="the service's process is stopped but for some thousandths of the time",
        part="processor",
        must=("average_tts_time", "average_response_time"),
        # What it asks and is asked within a time can come too late as well.
        may=(
            "response_time_increase",
            *("endpoint_response_time", "error_rate", "components_healthy", "all_providers_healthy"),
            *("tts_success_rate", "stt_success_rate", "average_stt_time", "p95_response_time"),
        ),
        shows=(
            *("endpoint_response_time", "error_rate", "components_healthy", "tts_success_rate"),
            *("average_tts_time", "average_response_time"),
        ),
        scenario=1,  # beside other requests none is answered in time; alone they are only slow
        alone=True,
    ),
    Grown(
        name="memory-grown",
        says="the service's process holds more than three times the memory that was recorded",
        part="memory",
        must=("memory_increase",),
        scenario=2,
    ),
    Grown(
        name="memory-over-limit",
        says="the service's process holds more memory than the limit of a gigabyte",
        part="memory",
        must=("memory_usage", "memory_increase"),
        scenario=2,
        at_least=_OVER,
    ),
    CodecGone(
        name="codec-gone",
        says="what decodes recordings on the host knows FLAC no more, and the service refuses them",
        part="virtualenv",
        must=("stt_success_rate", "speech_formats_accepted"),
        may=("all_providers_healthy", "provider_fallback_working"),
        # No scenario: one request in nine has FLAC, at the limits of two triggers, and a sample may not decide it.
    ),
    ClockOff(
        name="clock-an-hour-off",
        says="the service's clock is an hour behind",
        part="clock",
        # Storage refuses what is signed a quarter of an hour before.
        must=("clock_offset", "components_healthy", "tts_success_rate", "stt_success_rate"),
        scenario=3,
        behind_s=3600,
    ),
    DiskFull(
        name="disk-full",
        says="the disk that the rollback keeps its records, lock and journals on is full",
        part="disk",
        must=("disk_free",),
        root=True,
    ),
)
