"""The compose project of a containers stack: voice-v2 from images, beside the voice host, on the same parts.

It is brought up when it is first wanted. Its images are tags of the run, so that moving one moves it for no others.
"""

import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from drills.images import engine, naming
from drills.images.naming import Service
from drills.stacks.containers import inventory
from drills.stacks.containers.parts import ADDRESSES
from drills.stacks.containers.stack import ContainersStack
from drills.stacks.errors import StackError
from drills.stacks.layout import LOOPBACK, Ports, choose_ports, write_private
from drills.stacks.service import NAME, REQUIRED, environment
from target.compose import ComposeService, Container
from target.description import Compose
from target.host import Host
from target.wait import Seen, eventually

LATEST, STABLE = "latest", "previous-stable"
MEMORY = "512m"
_REPOSITORY = Path(__file__).resolve().parents[3]
_READY_S = 60.0
_CHANGE_S = 120.0
_RECORD_S = 120.0
_LAST = 15
_FILE = """\
# voice-v2 as a compose project: what `python -m rollback containers` is rehearsed on.
version: "2.4"  # docker-compose 1.29 reads it as well
services:
  {name}:
    image: {image}
    env_file: [.env]
    ports: ["{loopback}:{port}:{inside}"]
    mem_limit: {memory}
    restart: unless-stopped
    healthcheck:
      test: {healthcheck}
      interval: 2s
      timeout: 5s
      retries: 3
      start_period: 10s
    labels: {labels}
networks:
  default:
    external: true
    name: {network}
"""


class Project:
    """The project of one stack. Bounded; what cannot be done raises `StackError`, or `HostError`."""

    def __init__(self, stack: ContainersStack) -> None:
        self._stack = stack
        self.run = stack.run
        self.folder = stack.layout.compose / stack.run  # compose calls the project by its folder
        self.file = self.folder / "docker-compose.yml"
        self.target_file = stack.layout.target_compose
        self._host = Host("local://")

    def image(self, tag: str) -> str:
        """The name of one of this run's images."""
        return f"{self.run}/{NAME}:{tag}"

    @property
    def url(self) -> str:
        """Where the service is asked."""
        return str(yaml.safe_load(self.target_file.read_text("utf-8"))["api"]["url"])

    def ready(self) -> None:
        """Bring it up and record it where it was not yet; it serves the stable release, which is `latest` then."""
        if self.target_file.exists():
            return
        self._write()
        self.point(LATEST, naming.read().voice_v2.previous_stable)
        self.point(STABLE, naming.read().voice_v2.previous_stable)
        self.up()
        self.wait_healthy()
        beside = self.target_file.with_suffix(".new")
        self._write_target(beside)
        self._record(beside)
        beside.replace(self.target_file)

    def point(self, tag: str, image: str) -> None:
        """Give an image one of this run's names."""
        if engine.id_of(image) is None:
            raise StackError(f"the engine has no image {image}; make it: make images")
        engine.tag(image, self.image(tag))

    def up(self) -> None:
        """What a person types after a release: the container is made anew where the image or the file is another."""
        self.compose("up", "--detach", "--no-build", NAME)

    def compose(self, *words: str) -> str:
        """Run the compose program in the project's folder; what it printed."""
        command = [*self._program(), *words]
        try:
            ran = subprocess.run(
                command, cwd=self.folder, capture_output=True, text=True, timeout=_CHANGE_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise StackError(f"{shlex.join(command)} was not done after {_CHANGE_S:.0f} s") from None
        if ran.returncode != 0:
            raise StackError(_failed(command, ran.returncode, ran.stdout + ran.stderr))
        return ran.stdout

    def container(self) -> Container | None:
        """The container of the service, None when there is none."""
        return ComposeService(self._host, Compose(file=str(self.file), service=NAME)).container()

    def wait_healthy(self) -> None:
        """Wait until the container's own health check is content. Raises StackError with the last lines of its log."""

        def look() -> Seen:
            found = self.container()
            if found is None:
                return Seen(False, "no container")
            return Seen(found.health == "healthy", f"{found.state.status}, {found.health}")

        waited = eventually(look, deadline_s=_READY_S)
        if not waited.met:
            said = "\n".join(f"    {line}" for line in self.log().splitlines())
            raise StackError(f"{NAME} of {self.folder} is not healthy ({waited.seen}); its log ends:\n{said}")

    def log(self) -> str:
        """The last lines that the service logged."""
        return self.compose("logs", "--no-color", "--tail", str(_LAST), NAME)

    def _program(self) -> Sequence[str]:
        for words in (["docker", "compose"], ["docker-compose"]):
            if self._host.run([*words, "version"]).ok:
                return words
        raise StackError("neither `docker compose` nor `docker-compose` works here; bring them: .ci/engine")

    def _write(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        service, port = naming.read().voice_v2, choose_ports(Ports).api
        variables = service.variables(environment(ADDRESSES, self._stack.secrets))
        with inventory.engine() as client:
            owner = next(
                thing.owner
                for thing in inventory.things(client, self._stack.layout.root)
                if thing.run == self.run
            )
        labels = inventory.labels(self._stack.layout.root, self.run, "compose")
        text = _FILE.format(
            name=NAME,
            image=self.image(LATEST),
            loopback=LOOPBACK,
            port=port,
            inside=service.port,
            memory=MEMORY,
            healthcheck=_flow(list(service.health)),
            # Who brought the stack up owns its project too, whoever asked for it.
            labels=_flow({**labels, inventory.OWNER: owner}),
            network=self.run,
        )
        self.file.write_text(text, "utf-8")
        for name in (".env", ".env.previous"):
            lines = [f"{name}={value}\n" for name, value in variables.items()]
            write_private(self.folder / name, "".join(lines))

    def _write_target(self, file: Path) -> None:
        """The stack's own target file, with what is another here; what the project does not have is left out."""
        service = naming.read().voice_v2
        described = yaml.safe_load(self._stack.layout.target_file.read_text("utf-8"))
        for absent in ("code", "virtualenv"):
            described.pop(absent, None)
        for absent in ("dumps", "tools"):
            described["database"].pop(absent, None)
        port = yaml.safe_load(self.file.read_text("utf-8"))["services"][NAME]["ports"][0].split(":")[1]
        described["name"] = "drill-compose"
        described["hosts"] = ["local://"]
        described["state_dir"] = str(self.folder / "state")
        described["api"]["url"] = f"http://{LOOPBACK}:{port}"
        described["service"] = {
            "compose": {"file": str(self.file), "service": NAME, "previous": self.image(STABLE)}
        }
        described["environment"] = {
            "file": str(self.folder / ".env"),
            "previous": str(self.folder / ".env.previous"),
            "reader": "compose" if self._program()[0] == "docker" else "compose-v1",
            "required": list(service.environment or REQUIRED),
        }
        _rename(described, service)
        _replace(described, service.target)
        head = "# The compose project of the stack in this folder; made with it, and as short-lived.\n"
        write_private(file, head + yaml.safe_dump(described, sort_keys=False))

    def _record(self, target_file: Path) -> None:
        command = [sys.executable, "-m", "rollback", "record", "--target", str(target_file)]
        try:
            ran = subprocess.run(
                command, cwd=_REPOSITORY, capture_output=True, text=True, timeout=_RECORD_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise StackError(f"the compose project was not recorded within {_RECORD_S:.0f} s") from None
        if ran.returncode != 0:
            raise StackError(_failed(["python", *command[1:]], ran.returncode, ran.stdout + ran.stderr))


def _rename(described: dict[str, Any], service: Service) -> None:
    """Call the variables as the image does; a provider whose credentials it does not take is none of its own."""
    for provider in described["providers"]:
        for role in {"key", "folder"} & provider.keys():
            provider[role] = service.called(provider[role])
    described["providers"] = [each for each in described["providers"] if None not in each.values()]
    settings = {side: service.called(name) for side, name in described.pop("provider_settings").items()}
    if None not in settings.values():
        described["provider_settings"] = settings


def _replace(described: dict[str, Any], others: Mapping[str, Any]) -> None:
    """Put other values in place, key by key; None takes a key away."""
    for key, value in others.items():
        if value is None:
            described.pop(key, None)
        elif isinstance(value, dict) and isinstance(described.get(key), dict):
            _replace(described[key], value)
        else:
            described[key] = value


def _flow(content: object) -> str:
    return yaml.safe_dump(content, default_flow_style=True, width=10_000).strip()


def _failed(command: Sequence[str], status: int, said: str) -> str:
    lines = [f"    {line}" for line in said.strip().splitlines()[-_LAST:]]
    return "\n".join([f"{shlex.join(command)} failed (exit {status}):", *lines])
