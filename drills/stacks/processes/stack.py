"""An embedded stack that was made: its parts can be asked and changed, which is what faults and drills do."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec
import psycopg
from minio import Minio

from drills.front.control import Control as FrontControl
from drills.providers.control import Control as ProvidersControl
from drills.stacks.errors import StackError
from drills.stacks.processes import postgres, service, storage
from drills.stacks.processes.layout import LOOPBACK, Layout, StackFile, read_stack_file
from drills.stacks.processes.supervision import ProgramState, Supervisor, failure
from target.wait import Seen, eventually

_READY_S = 30.0
_ASK_S = 10.0
PARTS = ("postgres", "storage", "providers", "front", service.NAME)


class Part(msgspec.Struct, frozen=True):
    """A part of a stack: what supervisord says of it, and where it listens on 127.0.0.1."""

    program: ProgramState
    ports: dict[str, int]


def keeper_pid(layout: Layout) -> int | None:
    """The keeper of a running stack, None when the stack does not run."""
    try:
        descriptor = os.open(layout.alive, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(os.read(descriptor, 32) or b"0") or None
    else:
        return None
    finally:
        os.close(descriptor)


def wait_for_end(layout: Layout) -> None:
    """Wait, for as long as it takes, until the stack does not run any more; a signal's handler may end the wait."""
    with layout.alive.open("r") as alive:
        fcntl.flock(alive, fcntl.LOCK_SH)


class Stack:
    """A stack in its folder. Everything it is asked is bounded and raises `StackError` when it cannot be done."""

    def __init__(self, layout: Layout, remembered: StackFile) -> None:
        self.layout = layout
        self.ports = remembered.ports
        self.secrets = remembered.secrets
        self.remembered = remembered
        self.supervisor = Supervisor(layout, self.ports, self.secrets)
        self.front = FrontControl(LOOPBACK, self.ports.front_control, self.secrets.api_token)
        self.providers = ProvidersControl(f"http://{LOOPBACK}:{self.ports.providers_control}")
        # No connection is kept: the parts are restarted under it.
        self.client = httpx.Client(
            timeout=_ASK_S, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        )
        self.url = f"http://{LOOPBACK}:{self.ports.api}"
        self.service_url = f"http://{LOOPBACK}:{self.ports.service}"

    @classmethod
    def at(cls, root: Path) -> "Stack":
        """The stack in that folder. Raises StackError when there is none."""
        layout = Layout(root.resolve())
        return cls(layout, read_stack_file(layout))

    @classmethod
    def running_at(cls, root: Path) -> "Stack":
        """The stack in that folder. Raises StackError when there is none or it does not run."""
        stack = cls.at(root)
        if keeper_pid(stack.layout) is None:
            raise StackError(f"the stack in {root} does not run; start it: python -m drills up --dir {root}")
        return stack

    def close(self) -> None:
        """Close the connections that are kept; the stack itself goes on."""
        self.providers.close()
        self.client.close()

    def store(self) -> Minio:
        """The object storage, by its SDK."""
        return storage.client(self.ports, self.secrets)

    @contextmanager
    def database(self) -> Iterator[psycopg.Connection]:
        """A connection as the service's role; commits at the end."""
        try:
            with psycopg.connect(
                postgres.url(self.ports, self.secrets.database_password), connect_timeout=5
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
            raise failure(self.layout, service.NAME, what)

    def restart_service(self, *, status: str | None = "healthy") -> None:
        """Restart the service and wait until it says that status (None: any)."""
        self.supervisor.restart(service.NAME)
        self.wait_service(status=status)

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
