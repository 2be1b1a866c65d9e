"""Making a containers stack: everything that can begin at once does, each part waits for what it needs and no more."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import docker.errors
import msgspec
import requests

from drills.stacks import database, history, releases, target_file
from drills.stacks.bringing_up import Lease, Say, all_of, check_folder, complaint, with_free_ports
from drills.stacks.commands import Commands
from drills.stacks.containers import images, inventory, sweep, voice_host
from drills.stacks.containers.layout import (
    Ports,
    StackFile,
    check_path,
    new_run,
    read_stack_file,
    ssh_target_file,
)
from drills.stacks.containers.parts import ADDRESSES, POSTGRES_TOOLS, WHEELS, Parts
from drills.stacks.containers.stack import ContainersStack
from drills.stacks.containers.supervision import UNIT
from drills.stacks.containers.take_down import take_down
from drills.stacks.errors import PortTakenError, StackError
from drills.stacks.layout import Layout, choose_ports, new_secrets, write_private
from drills.stacks.service import NAME, write_environment
from drills.stacks.storage import make_buckets
from target.errors import HostError
from target.wait import Seen, eventually

_START_S = 60.0
_TAKEN = ("port is already allocated", "address already in use")


class _Builder:
    """One attempt at bringing a stack up, with one choice of ports."""

    def __init__(self, layout: Layout, latency_s: float | None, known: dict[str, str], say: Say) -> None:
        self._began = time.monotonic()
        self._say = say
        self._commands = Commands()
        self.layout = layout
        remembered = StackFile(
            ports=choose_ports(Ports), secrets=new_secrets(), latency_s=latency_s, run=new_run()
        )
        write_private(layout.stack_file, msgspec.json.format(msgspec.json.encode(remembered)))
        self.stack = ContainersStack(layout, remembered)
        self._latency_s = latency_s
        self._parts = Parts(layout, remembered.run, self.stack.ports, self.stack.secrets, known)

    def build(self) -> None:
        """Bring everything up. Raises StackError at the first part that fails, once nothing is being made any more."""
        for folder in (self.layout.logs, self.layout.run, self.layout.state, self.layout.backups):
            folder.mkdir(mode=0o700)
        with inventory.engine() as engine:
            self._parts.make_network(engine)
        with ThreadPoolExecutor(max_workers=8) as threads:
            try:
                host = threads.submit(self._host)
                code = threads.submit(self._code)
                server = threads.submit(self._database)
                rest = [
                    threads.submit(work)
                    for work in (self._storage, self._providers, self._network, self._front)
                ]
                # Neither needs the other: packages are installed while systemd starts.
                inside = [threads.submit(work, host) for work in (self._packages, self._system)]
                all_of([host, code, *inside])
                # The service meets a schema that is still on its way as it would in a deployment: it waits.
                self.stack.supervisor.start(NAME)
                all_of([threads.submit(self._schema, server), server, *rest])
                self.stack.wait_service()
                self._done(f"{NAME}  {releases.GOOD} is healthy")
            except BaseException:
                # What the threads still wait for goes, and they end.
                self._commands.abort()
                take_down(self.layout)
                self.stack.close()
                raise
        self._write_targets()

    def _done(self, what: str) -> None:
        self._say(f"  {time.monotonic() - self._began:5.1f} s  {what}")

    def _until(self, name: str, look: Callable[[], str | None]) -> None:
        """Wait until `look` has nothing to complain of. Raises StackError: the container ended, or too late."""

        def once() -> Seen:
            complains = look()
            if complains is None:
                return Seen(True, "ready")
            state = self.stack.supervisor.state(name)
            if state.state != "RUNNING":
                raise self.stack.failure(name, f"did not start ({state.detail})")
            return Seen(False, complains)

        waited = eventually(once, deadline_s=_START_S)
        if not waited.met:
            raise self.stack.failure(name, f"not ready after {waited.seconds:.0f} s ({waited.seen})")

    def _host(self) -> None:
        _started(self._parts.start_voice_host)

    def _system(self, host: "Future[None]") -> None:
        host.result()
        voice_host.wait_booted(self.stack.host)
        voice_host.let_in(self._commands, self.stack.host, self.layout, self.stack.ports)
        voice_host.write_units(self.stack.host, self.layout, self.stack.ports)
        self._done("voice host  systemd is up")

    def _database(self) -> None:
        ports, secrets = self.stack.ports, self.stack.secrets
        _started(self._parts.start_postgres)
        self._until("postgres", lambda: database.answers(ports, secrets))
        database.create_database(ports, secrets)
        self._done("postgres  answers")

    def _storage(self) -> None:
        ports, secrets = self.stack.ports, self.stack.secrets
        _started(self._parts.start_storage)
        self._until("storage", lambda: complaint(self.stack.rules().admit) or make_buckets(ports, secrets))
        history.upload(self.stack.store(), history.compose(datetime.now(UTC)))
        self._done("storage   answers (minio), past audio is in")

    def _code(self) -> None:
        releases.make_repository(self._commands, self.layout)
        write_environment(self.layout, ADDRESSES, self.stack.secrets)
        self._done(f"code      {', '.join(release.version for release in releases.RELEASES)}")

    def _packages(self, host: "Future[None]") -> None:
        host.result()
        voice_host.make_virtualenv(self.stack.host, self.layout)
        self._done("packages  installed")

    def _providers(self) -> None:
        _started(lambda: self._parts.start_providers(self._latency_s))
        self._until("providers", lambda: complaint(self.stack.providers.state))
        self._done("providers answer")

    def _network(self) -> None:
        _started(self._parts.start_network)
        self._until("network", lambda: complaint(self.stack.network.state))

    def _front(self) -> None:
        _started(self._parts.start_front)
        self._until("front", lambda: complaint(self.stack.front.state))

    def _schema(self, server: "Future[None]") -> None:
        server.result()
        voice_host.migrate(self.stack.host, self.layout)
        with self.stack.database() as connection:
            history.insert(connection, history.compose(datetime.now(UTC)))
        self._done("schema    at its newest revision, past rows are in")

    def _write_targets(self) -> None:
        stack = self.stack
        # The plain one last: it tells that the stack is complete.
        for file, host in (
            (ssh_target_file(self.layout), voice_host.ssh_url(self.layout, stack.ports)),
            (self.layout.target_file, stack.host.url),
        ):
            target_file.write(
                self.layout,
                stack.ports,
                stack.secrets,
                file=file,
                host=host,
                control={"systemd": UNIT},
                reader="systemd",
                tools=POSTGRES_TOOLS,
                wheelhouse=WHEELS,
            )


def _started(start: Callable[[], None]) -> None:
    try:
        start()
    except (docker.errors.DockerException, requests.RequestException) as error:
        said = inventory.reason(error)
        taken = any(sign in said for sign in _TAKEN)
        raise (PortTakenError if taken else StackError)(f"the Docker engine: {said}") from error


@contextmanager
def brought_up(
    root: Path, *, latency_s: float | None, say: Say
) -> Iterator[tuple[ContainersStack, Lease | None]]:
    """A running stack in the folder, for a `with` block: when the block fails, the stack is taken down.

    The lease is None when the stack ran already; otherwise it is for the block to settle it, or to take it down.
    Raises StackError: what is in the way, or which part failed and what it said last.
    """
    layout = Layout(root.resolve())
    check_path(layout.root)
    check_folder(layout)
    known = images.names()
    layout.root.mkdir(parents=True, exist_ok=True)
    if layout.stack_file.exists():
        running = ContainersStack(layout, read_stack_file(layout))
        with closing(running):
            if running.running():
                yield running, None
                return
    lease = Lease(layout)
    try:
        for gone in sweep.sweep():
            say(f"  left by one who was killed, removed: {gone}")
        take_down(layout)
        try:
            with closing(_build(layout, latency_s, known, say)) as stack:
                yield stack, lease
        except BaseException:
            take_down(layout)
            raise
    finally:
        lease.release()


def _build(layout: Layout, latency_s: float | None, known: dict[str, str], say: Say) -> ContainersStack:
    def attempt() -> ContainersStack:
        builder = _Builder(layout, latency_s, known, say)
        try:
            builder.build()
        except HostError as error:
            raise StackError(f"voice host: {error}") from error
        return builder.stack

    return with_free_ports(layout, attempt, say)
