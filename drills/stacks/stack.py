"""A stack that was made, of whichever kind: its parts can be asked and changed, which is what faults and drills do."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import httpx
import msgspec
import psutil
import psycopg
from minio import Minio

from drills.front.control import Control as FrontControl
from drills.network.behaviour import ROUTES
from drills.network.control import Control as NetworkControl
from drills.providers.control import Control as ProvidersControl
from drills.stacks import database, service, storage
from drills.stacks.errors import StackError
from drills.stacks.layout import LOOPBACK, Layout, StackFile
from drills.stacks.rules import MinioRules, Rules
from target.host import Host
from target.wait import Seen, eventually

_READY_S = 30.0
_ASK_S = 10.0
PARTS = ("postgres", "storage", "providers", "network", "front", service.NAME)


class ProgramState(msgspec.Struct, frozen=True):
    """A part as it is. `state` is in supervisord's words: RUNNING, STARTING, BACKOFF, STOPPED, EXITED, FATAL, …

    `pid` is that of this machine, 0 where none runs; `started_at` in seconds since the epoch, 0 when it never was.
    """

    name: str
    state: str
    pid: int
    started_at: int
    detail: str


class Part(msgspec.Struct, frozen=True):
    """A part of a stack: what its supervisor says of it, and where it listens on 127.0.0.1."""

    program: ProgramState
    ports: dict[str, int]


class Supervisor(Protocol):
    """What starts and stops the parts, by the names in PARTS. Bounded; what cannot be done raises `StackError`."""

    def states(self) -> list[ProgramState]:
        """Every part as it is now."""
        ...

    def state(self, name: str) -> ProgramState:
        """One part as it is now."""
        ...

    def start(self, name: str) -> None:
        """Start a part without waiting for it to be ready; nothing happens when it runs."""
        ...

    def stop(self, name: str) -> None:
        """Stop a part and wait until it has stopped; nothing happens when it does not run."""
        ...

    def restart(self, name: str) -> None:
        """Stop, then start."""
        ...

    def wait_settled(self) -> None:
        """Wait until no part is on its way up or down. Raises StackError naming those that still are."""
        ...


class Stack(ABC):
    """A stack in its folder. Everything it is asked is bounded and raises `StackError` when it cannot be done.

    `host` is where the service's commands run: this machine, or the voice host.
    """

    supervisor: Supervisor
    host: Host

    def __init__(self, layout: Layout, remembered: StackFile) -> None:
        self.layout = layout
        self.kind = remembered.kind
        self.ports = remembered.ports
        self.secrets = remembered.secrets
        self.front = FrontControl(LOOPBACK, self.ports.front_control, self.secrets.api_token)
        self.network = NetworkControl(LOOPBACK, self.ports.network_control, self.secrets.api_token)
        self.providers = ProvidersControl(f"http://{LOOPBACK}:{self.ports.providers_control}")
        # No connection is kept: the parts are restarted under it.
        self.client = httpx.Client(
            timeout=_ASK_S, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        )
        self.url = f"http://{LOOPBACK}:{self.ports.api}"
        self.service_url = f"http://{LOOPBACK}:{self.ports.service}"

    @staticmethod
    def at(root: Path) -> "Stack":
        """The stack in that folder, of its kind. Raises StackError when there is none."""
        from drills.stacks.kinds import stack_at

        return stack_at(root)

    @staticmethod
    def running_at(root: Path) -> "Stack":
        """The stack in that folder. Raises StackError when there is none or it does not run."""
        stack = Stack.at(root)
        if not stack.running():
            raise StackError(f"the stack in {root} does not run; start it: python -m drills up --dir {root}")
        return stack

    @abstractmethod
    def running(self) -> bool:
        """Whether it was brought up and not taken down since."""

    @abstractmethod
    def take_down(self) -> Sequence[str]:
        """End all of it, and prove it; what a crash had left of it, by name. Raises StackError: it does not end."""

    @abstractmethod
    def wait_for_end(self) -> None:
        """Wait, for as long as it takes, until it does not run any more; a signal's handler may end the wait."""

    @abstractmethod
    def second_address(self) -> tuple[str, int]:
        """The address and port at which a second service can listen on the host for the front to reach it."""

    @abstractmethod
    def log(self, name: str, lines: int) -> list[str]:
        """The last lines that a part logged, the oldest first."""

    @abstractmethod
    def failure(self, name: str, what: str) -> StackError:
        """The error for a part that failed, with the last lines of its log."""

    def close(self) -> None:
        """Close the connections that are kept; the stack itself goes on."""
        self.providers.close()
        self.client.close()

    def store(self) -> Minio:
        """The object storage, by its SDK."""
        return storage.client(self.ports, self.secrets)

    def rules(self) -> Rules:
        """What the storage admits of the service's key, to be changed; that of MinIO, unless a kind has another."""
        return MinioRules(self.ports, self.secrets)

    @contextmanager
    def database(self, *, admin: bool = False) -> Iterator[psycopg.Connection]:
        """A connection as the service's role, or (`admin`) as the server's superuser; commits at the end."""
        role = database.ADMIN if admin else database.ROLE
        try:
            with psycopg.connect(
                database.url(self.ports, self.secrets.database_password, role=role), connect_timeout=5
            ) as connection:
                connection.execute("SET statement_timeout = '20s'")
                yield connection
        except psycopg.OperationalError as error:
            raise StackError(f"postgres: {str(error).strip().splitlines()[0]}") from None

    def ask(
        self,
        method: str,
        path: str,
        *,
        token: bool = True,
        direct: bool = False,
        json: object = None,
    ) -> httpx.Response:
        """Ask the API, through the front or (`direct`) the service itself, with the bearer token or without."""
        headers = {"X-Voice-Client": "drill-probe"}
        if token:
            headers["Authorization"] = f"Bearer {self.secrets.api_token}"
        url = (self.service_url if direct else self.url) + path
        try:
            return self.client.request(method, url, headers=headers, json=json)
        except httpx.HTTPError as error:
            raise StackError(f"{method} {url}: {type(error).__name__}: {error}") from None

    def health(self) -> dict[str, object] | None:
        """What the service itself says of its health, None while it does not answer with JSON."""
        try:
            said = self.ask("GET", "/health", direct=True).json()
        except (StackError, ValueError):
            return None
        return said if isinstance(said, dict) else None

    def wait_service(self, *, status: str | None = "healthy", deadline_s: float = _READY_S) -> None:
        """Wait until the service answers and says that status (None: any). Raises StackError with its last lines."""

        def look() -> Seen:
            said = self.health()
            if said is not None and status in (None, said.get("system_status")):
                return Seen(True, "ready")
            if said is None:
                state = self.supervisor.state(service.NAME)
                return Seen(False, f"{state.state}: {state.detail}", final=state.state == "FATAL")
            return Seen(False, _summary(said))

        waited = eventually(look, deadline_s=deadline_s)
        if not waited.met:
            what = f"not {status or 'answering'} after {waited.seconds:.1f} s ({waited.seen})"
            raise self.failure(service.NAME, what)

    def restart_service(self, *, status: str | None = "healthy") -> None:
        """Restart the service and wait until it says that status (None: any)."""
        self.supervisor.restart(service.NAME)
        self.wait_service(status=status)

    def service_processes(self) -> list[psutil.Process]:
        """The processes of the service as this machine sees them, the main one first; none while it does not run."""
        pid = self.supervisor.state(service.NAME).pid
        try:
            main = psutil.Process(pid)
            return [main, *main.children(recursive=True)] if pid else []
        except psutil.NoSuchProcess:
            return []

    def parts(self) -> list[Part]:
        """Every part as it is now."""
        listening = {
            "postgres": {"sql": self.ports.postgres},
            "storage": {"s3": self.ports.s3},
            "providers": {
                "openai": self.ports.openai,
                "google": self.ports.google,
                "yandex": self.ports.yandex,
                "control": self.ports.providers_control,
            },
            "network": {
                **{name: getattr(self.ports, f"way_{name}") for name in ROUTES},
                "control": self.ports.network_control,
            },
            "front": {"api": self.ports.api, "control": self.ports.front_control},
            service.NAME: {"http": self.ports.service},
        }
        states = {state.name: state for state in self.supervisor.states()}
        return [Part(states[name], listening[name]) for name in PARTS]


def _summary(said: dict[str, object]) -> str:
    parts = []
    for group in ("components", "providers"):
        found = said.get(group)
        if isinstance(found, dict):
            parts += [
                f"{name} {part.get('status')}: {part.get('last_error') or part.get('error') or ''}".rstrip(
                    ": "
                )
                for name, part in found.items()
                if isinstance(part, dict) and part.get("status") != "healthy"
            ]
    return "; ".join([str(said.get("system_status")), *parts])[:500]
