"""Making a stack: everything that can begin at once does, each part waits for what it needs and for no more."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from drills.front.behaviour import Knowledge
from drills.providers.catalogue import PROVIDERS
from drills.stacks import database, history, releases, target_file
from drills.stacks.bringing_up import Lease, Say, all_of, check_folder, complaint, with_free_ports
from drills.stacks.commands import Commands, base_environment
from drills.stacks.errors import StackError
from drills.stacks.layout import LOOPBACK, MARK, Layout, choose_ports, new_secrets, write_private
from drills.stacks.processes import postgres, service, storage, supervision
from drills.stacks.processes.layout import Ports, StackFile, read_stack_file
from drills.stacks.processes.stack import ProcessesStack, keeper_pid
from drills.stacks.processes.supervision import Program, failure, supervisord_command
from drills.stacks.processes.take_down import take_down
from drills.stacks.processes.virtualenv import make_virtualenv
from drills.stacks.service import NAME, write_environment
from drills.stacks.storage import make_buckets
from target.wait import Seen, eventually

_REPOSITORY = Path(__file__).resolve().parents[3]
_START_S = 30.0


class _Builder:
    """One attempt at bringing a stack up, with one choice of ports."""

    def __init__(self, layout: Layout, latency_s: float | None, say: Say) -> None:
        self._began = time.monotonic()
        self._say = say
        self._commands = Commands()
        self.layout = layout
        remembered = StackFile(
            ports=choose_ports(Ports), secrets=new_secrets(), latency_s=latency_s, storage=storage.kind()
        )
        write_private(layout.stack_file, msgspec.json.format(msgspec.json.encode(remembered)))
        self.stack = ProcessesStack(layout, remembered)

    def build(self) -> None:
        """Bring everything up. Raises StackError at the first part that fails, once no command runs any more."""
        for folder in (self.layout.logs, self.layout.run, self.layout.state):
            folder.mkdir(mode=0o700)
        self._start_keeper()
        for name in ("storage", "providers", "network", "front"):
            self.stack.supervisor.start(name)
        with ThreadPoolExecutor(max_workers=6) as threads:
            try:
                server = threads.submit(self._database)
                rest = [
                    threads.submit(work)
                    for work in (self._storage, self._providers, self._network, self._front)
                ]
                all_of([threads.submit(self._code), threads.submit(self._packages)])
                # The service meets a schema that is still on its way as it would in a deployment: it waits.
                self.stack.supervisor.start(NAME)
                all_of([server, threads.submit(self._schema, server), *rest])
                self.stack.wait_service()
                self._done(f"{NAME}  {releases.GOOD} is healthy")
            except BaseException:
                # The threads that still wait for a part see it gone, and end.
                self._commands.abort()
                take_down(self.layout)
                self.stack.close()
                raise
        target_file.write(
            self.layout,
            self.stack.ports,
            self.stack.secrets,
            file=self.layout.target_file,
            host="local://",
            control={
                "supervisor": {
                    "config": str(self.layout.supervisor_config),
                    "program": NAME,
                    "supervisorctl": str(Path(sys.executable).with_name("supervisorctl")),
                }
            },
            reader="python-dotenv",
            tools=postgres.binaries(),
        )

    def _done(self, what: str) -> None:
        self._say(f"  {time.monotonic() - self._began:5.1f} s  {what}")

    def _start_keeper(self) -> None:
        stack, run = self.stack, self.layout.run
        text = supervision.configuration(self.layout, stack.ports, stack.secrets, self._programs())
        write_private(self.layout.supervisor_config, text)
        ports = stack.ports
        sockets = f"{ports.master_grpc},{ports.volume_grpc},{ports.filer_grpc},{ports.s3_grpc}"
        keeper = Path(__file__).with_name("keeper.py")
        command = [sys.executable, "-I", "-S", str(keeper), str(run), sockets, "--"]
        with (self.layout.logs / "keeper.log").open("wb") as log:
            # It returns as soon as it has the lock, and goes on in the background.
            ran = subprocess.run(
                [*command, *supervisord_command(self.layout)],
                cwd=self.layout.root,
                env={**base_environment(), MARK: str(self.layout.root)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=_START_S,
                check=False,
            )
        if ran.returncode != 0:
            raise failure(self.layout, "keeper", f"it did not start (exit {ran.returncode})")

        def look() -> Seen:
            if keeper_pid(self.layout) is None:
                return Seen(False, "it ended", final=True)
            return Seen(stack.supervisor.answers(), "no answer yet")

        waited = eventually(look, deadline_s=_START_S)
        if not waited.met:
            raise failure(self.layout, "keeper", f"supervisord did not start ({waited.seen})")

    def _programs(self) -> list[Program]:
        layout, ports, secrets = self.layout, self.stack.ports, self.stack.secrets
        credentials = layout.run / "credentials.json"
        write_private(
            credentials,
            msgspec.json.encode(
                {
                    "openai": {"api_key": secrets.openai_api_key},
                    "google": {"api_key": secrets.google_api_key},
                    "yandex": {"api_key": secrets.yandex_api_key, "folder_id": secrets.yandex_folder},
                }
            ),
        )
        knowledge = layout.run / "front.json"
        write_private(knowledge, msgspec.json.encode(Knowledge(secrets.api_token, secrets.openai_api_key)))
        stand_ins = [sys.executable, "-m", "drills.providers", "--credentials", str(credentials)]
        stand_ins += ["--openai-port", str(ports.openai), "--google-port", str(ports.google)]
        stand_ins += ["--yandex-port", str(ports.yandex), "--control-port", str(ports.providers_control)]
        if self.stack.remembered.latency_s is not None:
            stand_ins += ["--latency", str(self.stack.remembered.latency_s)]
        network = [sys.executable, "-m", "drills.network", "--knowledge", str(knowledge)]
        network += ["--control-port", str(ports.network_control)]
        for name, to in (
            ("postgres", ports.postgres),
            ("storage", ports.s3),
            *((name, getattr(ports, name)) for name in PROVIDERS),
        ):
            network += ["--route", f"{name}={getattr(ports, f'way_{name}')}:{LOOPBACK}:{to}"]
        front = [sys.executable, "-m", "drills.front", "--knowledge", str(knowledge)]
        front += ["--port", str(ports.api), "--service-port", str(ports.service)]
        front += ["--control-port", str(ports.front_control)]
        return [
            postgres.program(layout),
            storage.program(layout, ports, secrets),
            Program(name="providers", command=stand_ins, directory=_REPOSITORY),
            Program(name="network", command=network, directory=_REPOSITORY),
            Program(name="front", command=front, directory=_REPOSITORY),
            service.program(layout, ports),
        ]

    def _until(self, name: str, look: Callable[[], str | None]) -> None:
        """Wait until `look` has nothing to complain of. Raises StackError: the program ended, or too late."""

        def once() -> Seen:
            complaint = look()
            if complaint is None:
                return Seen(True, "ready")
            self.stack.supervisor.raise_if_failed(name)
            return Seen(False, complaint)

        waited = eventually(once, deadline_s=_START_S)
        if not waited.met:
            raise failure(self.layout, name, f"not ready after {waited.seconds:.0f} s ({waited.seen})")

    def _database(self) -> None:
        ports, secrets = self.stack.ports, self.stack.secrets
        postgres.initialise(self._commands, self.layout, ports, secrets)
        self.stack.supervisor.start("postgres")
        self._until("postgres", lambda: database.answers(ports, secrets))
        database.create_database(ports, secrets)
        self._done("postgres  answers")

    def _storage(self) -> None:
        ports, secrets = self.stack.ports, self.stack.secrets
        if self.stack.remembered.storage == "minio":  # SeaweedFS has read who is admitted as it started
            self._until("storage", lambda: complaint(self.stack.rules().admit))
        self._until("storage", lambda: make_buckets(ports, secrets))
        history.upload(self.stack.store(), history.compose(datetime.now(UTC)))
        self._done(f"storage   answers ({self.stack.remembered.storage}), past audio is in")

    def _code(self) -> None:
        releases.make_repository(self._commands, self.layout)
        write_environment(self.layout, service.addresses(self.stack.ports), self.stack.secrets)
        self._done(f"code      {', '.join(release.version for release in releases.RELEASES)}")

    def _packages(self) -> None:
        make_virtualenv(self._commands, self.layout, releases.SOURCE / "requirements.txt")
        self._done("packages  installed")

    def _providers(self) -> None:
        self._until("providers", lambda: complaint(self.stack.providers.state))
        self._done("providers answer")

    def _network(self) -> None:
        self._until("network", lambda: complaint(self.stack.network.state))

    def _front(self) -> None:
        self._until("front", lambda: complaint(self.stack.front.state))

    def _schema(self, server: "Future[None]") -> None:
        server.result()
        service.migrate(self._commands, self.layout)
        with self.stack.database() as connection:
            history.insert(connection, history.compose(datetime.now(UTC)))
        self._done("schema    at its newest revision, past rows are in")


@contextmanager
def brought_up(
    root: Path, *, latency_s: float | None, say: Say
) -> Iterator[tuple[ProcessesStack, Lease | None]]:
    """A running stack in the folder, for a `with` block: when the block fails, the stack is taken down.

    The lease is None when the stack ran already; otherwise the stack dies with this process unless the block
    settles it. Raises StackError: what is in the way, or which part failed and what it said last.
    """
    layout = Layout(root.resolve())
    check_folder(layout)
    if "%" in str(layout.root):
        raise StackError(
            f"{layout.root}: supervisord and Alembic take no percent sign in a path; name another folder"
        )
    layout.root.mkdir(parents=True, exist_ok=True)
    if _is_up(layout):
        with closing(ProcessesStack(layout, read_stack_file(layout))) as running:
            yield running, None
        return
    lease = Lease(layout)
    try:
        # What runs here without being complete was left by one who was killed a moment ago.
        take_down(layout)
        try:
            with closing(_build(layout, latency_s, say)) as stack:
                yield stack, lease
        except BaseException:
            take_down(layout)
            raise
    finally:
        lease.release()


def _is_up(layout: Layout) -> bool:
    """Whether a complete stack runs there: its target file is the last thing that is made."""
    return layout.target_file.exists() and keeper_pid(layout) is not None


def _build(layout: Layout, latency_s: float | None, say: Say) -> ProcessesStack:
    def attempt() -> ProcessesStack:
        builder = _Builder(layout, latency_s, say)
        builder.build()
        return builder.stack

    return with_free_ports(layout, attempt, say)
