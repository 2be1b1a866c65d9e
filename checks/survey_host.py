"""What the survey reads on the hosts: files, processes, packages, each once and in a thread."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

from checks import room
from checks.part import Part
from checks.run import DeadService
from target import bytecode, capture, memory, virtualenv
from target.choice import Choice, in_force
from target.description import Target
from target.environment import Reading, read
from target.errors import HostError, TargetError
from target.host import FileFacts, Host
from target.record import CodeRecord, EnvironmentRecord, Record, Records
from target.service import ServiceStatus, service_of
from target.wait import Seen, eventually

T = TypeVar("T")

# Change times of every file of the package: a copy that keeps old modification times shows there all the same.
_CHANGE_TIMES = r"""find "$1" -name __pycache__ -prune -o -type f -exec stat -c '%.9Z %n' {} +"""
# Past the traceback of a start that is under way, to the end of the one before it.
_LAST_LINES = 80
_RAISED = re.compile(r"(\w+\.)*\w*(Error|Exception)\b|\S+: No module named ")
_IN_TRACEBACK = re.compile(r"Traceback \(|\s|$")
# supervisord names the process of a program once it has run for its `startsecs`, a second where nobody says otherwise.
_NAMES_S = 10.0


class HostFacts:
    """Facts of one host.

    `quiet` is waited for first, so that reading does not disturb the latency sample; `over` before the last look.
    """

    def __init__(
        self,
        target: Target,
        host: Host,
        records: Records,
        quiet: Callable[[], Awaitable[None]],
        over: Callable[[], Awaitable[None]],
    ) -> None:
        self.target = target
        self.host = host
        self.records = records
        self.status: Part[ServiceStatus | None] = _now(self._status)
        self.environment: Part[EnvironmentRecord] = _now(lambda: capture.environment(target, host, records))
        self.environment_file: Part[FileFacts] = _now(self._environment_file)
        self.reading: Part[Reading] = _now(self._reading)
        self.variables: Part[dict[str, str]] = _now(self._variables)
        self.previous: Part[Reading] = _now(self._previous)
        self.choice: Part[Choice | None] = _now(lambda: in_force(target, host))
        self.status_after: Part[ServiceStatus | None] = _after(over, self._status)
        self.process_environment: Part[dict[str, str] | None] = _after(quiet, self._process_environment)
        self.packages: Part[tuple[str, dict[str, str]]] = _after(
            quiet, lambda: capture.packages(target, host)
        )
        self.virtualenv: Part[virtualenv.Files] = _after(quiet, self._virtualenv)
        self.code: Part[CodeRecord] = _after(quiet, lambda: capture.code(target, host))
        self.newest_code: Part[tuple[float, str]] = _after(quiet, self._newest_code)
        self.bytecode: Part[list[str]] = _after(quiet, lambda: bytecode.of_service(target, host))
        self.image: Part[str | None] = _after(quiet, self._image)
        self.all_records: Part[list[Record]] = _after(quiet, records.all)
        self.why_down: Part[list[str]] = _now(self._why_down)
        self.resident: Part[int | None] = _after(quiet, self._resident)
        self.room: Part[list[room.Room]] = _after(quiet, lambda: room.left(target, host))

    def command(self, verb: Literal["start", "stop", "restart", "status"]) -> str:
        """What one would type on the host."""
        service = service_of(self.target, self.host)
        return service.commands(verb) if service is not None else f"{verb} the service"

    async def shows_environment(self) -> bool:
        """Whether the environment of the process can be seen: not where the program reads its file by itself."""
        reader = self.target.environment.reader if self.target.environment else "python-dotenv"
        return reader != "python-dotenv" and await self.process_environment() is not None

    def _why_down(self) -> list[str]:
        """What controller and log say of a service that does not answer."""
        try:
            service = service_of(self.target, self.host)
            if service is None:
                return []
            status, log = service.status(), service.logs(_LAST_LINES).strip().splitlines()
        except HostError as error:
            return [str(error)]
        return [f"{service.name} is {status.state}: {status.detail}", *telling(log, service.name)]

    def _status(self) -> ServiceStatus | None:
        """What the control says; of a service that was only just started, once it names its process."""
        service = service_of(self.target, self.host)
        if service is None:
            return None
        found = service.status()

        def look() -> Seen:
            nonlocal found
            found = service.status()
            return Seen(met=not _unnamed(found), seen=found.detail)

        if _unnamed(found):
            eventually(look, deadline_s=_NAMES_S, interval_s=0.2)
        return found

    def _environment_file(self) -> FileFacts:
        path = self._environment_path()
        facts = self.host.facts(path)
        if facts is None:
            raise HostError(f"{path} is not on {self.host.url}")
        return facts

    def _environment_path(self) -> str:
        if self.target.environment is None:
            raise TargetError(f"{self.target.source} names no `environment`")
        return self.target.environment.file

    def _reading(self) -> Reading:
        content = self.host.read(self._environment_path())
        assert self.target.environment is not None
        return read(content, self.target.environment.reader)

    def _variables(self) -> dict[str, str]:
        return self._reading().variables

    def _previous(self) -> Reading:
        if self.target.environment is None:
            raise TargetError(f"{self.target.source} names no `environment`")
        return read(self.host.read(self.target.environment.previous), self.target.environment.reader)

    def _process_environment(self) -> dict[str, str] | None:
        service = service_of(self.target, self.host)
        return service.process_environment() if service is not None else None

    def _virtualenv(self) -> virtualenv.Files:
        assert self.target.virtualenv is not None
        path = self.target.virtualenv.path.rstrip("/")
        return virtualenv.look(self.host, path, path)

    def _image(self) -> str | None:
        service = service_of(self.target, self.host)
        return service.image_digest() if service is not None else None

    def _newest_code(self) -> tuple[float, str]:
        assert self.target.code is not None
        folder = f"{self.target.code.checkout}/{self.target.code.package}"
        ran = self.host.shell(_CHANGE_TIMES, folder)
        lines = [line.split(" ", 1) for line in ran.stdout.splitlines()]
        times = [(float(words[0]), words[1]) for words in lines if len(words) > 1]
        if not times:
            raise HostError(f"{folder} on {self.host.url} holds no code that can be read")
        return max(times)

    def _resident(self) -> int | None:
        """Resident bytes of the service's main process and all below it; None where it is not a process of the host."""
        status = self._status()
        if status is None or status.pid is None:
            return None
        return memory.resident(self.host, status.pid)


def telling(log: list[str], unit: str) -> list[str]:
    """The last line of a log, and before it the exception that a process which did not start has ended with.

    That one stands right before what systemd says of the `unit`, and the traceback of the next start.
    """
    said = (line for line in reversed(log) if f"{unit}.service" not in line and not _IN_TRACEBACK.match(line))
    ended = next(said, "")
    return list(dict.fromkeys([*([ended] if _RAISED.match(ended) else []), *log[-1:]]))


def _unnamed(status: ServiceStatus) -> bool:
    return status.state == "starting" and status.pid is None


def _now(work: Callable[[], T]) -> Part[T]:
    return Part(lambda: asyncio.to_thread(work))


def _after(moment: Callable[[], Awaitable[None]], work: Callable[[], T]) -> Part[T]:
    async def wait_and_work() -> T:
        with contextlib.suppress(
            DeadService
        ):  # it cannot be disturbed, and what lies on the host is there all the same
            await moment()
        return await asyncio.to_thread(work)

    return Part(wait_and_work)
