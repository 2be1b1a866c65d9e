"""The parts of a containers stack: voice-v2 by the systemd of the voice host, the others by the engine."""

import contextlib
import functools
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests

from drills.stacks.containers.inventory import reason
from drills.stacks.containers.layout import container
from drills.stacks.errors import StackError
from drills.stacks.service import NAME
from drills.stacks.stack import PARTS, ProgramState
from target.errors import HostError
from target.host import Host
from target.wait import Seen, eventually

VOICE_HOST = "voice-host"
UNIT = "voice-v2-service"
_ASK_S = 60
_STOP_S = 10
_SETTLE_S = 15.0
_PROPERTIES = "ActiveState,SubState,Result,ExecMainStatus,MainPID,ActiveEnterTimestamp"
_CHANGE_S = 60.0


class Supervisor:
    """The parts by name. Every call is bounded; what cannot be done raises `StackError`."""

    def __init__(self, run: str, host: Host) -> None:
        self._run = run
        self._host = host

    @functools.cached_property
    def _engine(self) -> docker.DockerClient:
        return docker.from_env(timeout=_ASK_S)

    def close(self) -> None:
        """Close the connection to the engine, where there is one."""
        if "_engine" in self.__dict__:
            self._engine.close()

    def states(self) -> list[ProgramState]:
        """Every part as it is now."""
        return [self.state(name) for name in PARTS]

    def state(self, name: str) -> ProgramState:
        """One part as it is now."""
        return self._unit() if name == NAME else self._container(name)

    def start(self, name: str) -> None:
        """Start a part without waiting for it to be ready; nothing happens when it runs."""
        if name == NAME:
            self._systemctl("start", UNIT)
        else:
            with self._asked(name) as api:
                api.start(container(self._run, name))

    def stop(self, name: str) -> None:
        """Stop a part and wait until it has stopped; nothing happens when it does not run."""
        if name == NAME:
            self._systemctl("stop", UNIT)
        else:
            with self._asked(name) as api:
                api.stop(container(self._run, name), timeout=_STOP_S)

    def restart(self, name: str) -> None:
        """Stop, then start."""
        if name == NAME:
            # A unit that failed too often in a short time is not started again before this.
            self._systemctl("reset-failed", UNIT)
            self._systemctl("restart", UNIT)
        else:
            self.stop(name)
            self.start(name)

    def wait_settled(self) -> None:
        """Wait until no part is on its way up or down. Raises StackError naming those that still are."""

        def look() -> Seen:
            moving = [
                state.name for state in self.states() if state.state in ("STARTING", "STOPPING", "BACKOFF")
            ]
            return Seen(not moving, ", ".join(moving))

        waited = eventually(look, deadline_s=_SETTLE_S)
        if not waited.met:
            raise StackError(f"still on the way after {waited.seconds:.0f} s: {waited.seen}")

    def log(self, name: str, lines: int) -> list[str]:
        """The last lines that a part logged, the oldest first."""
        if name == NAME:
            command = ["journalctl", "-u", UNIT, "-n", str(lines), "-o", "cat", "--no-pager"]
            return self._on_host(command).splitlines()
        with self._asked(name) as api:
            said: bytes = api.logs(container(self._run, name), tail=lines)
        return said.decode("utf-8", "replace").splitlines()

    def inspected(self, name: str) -> dict[str, Any]:
        """What the engine tells of the container of a part."""
        with self._asked(name) as api:
            found: dict[str, Any] = api.inspect_container(container(self._run, name))
        return found

    def _container(self, name: str) -> ProgramState:
        found = self.inspected(name)["State"]
        detail = found["Error"] or f"{found['Status']}, exit status {found['ExitCode']}"
        return ProgramState(
            name=name,
            state=_container_state(found),
            pid=int(found["Pid"]),
            started_at=_seconds(found["StartedAt"]),
            detail=detail,
        )

    def _unit(self) -> ProgramState:
        inside = self.inspected(VOICE_HOST)["State"]
        if not inside["Running"]:
            return ProgramState(NAME, "STOPPED", 0, 0, f"the voice host is {inside['Status']}")
        shown = self._on_host(["systemctl", "show", "-p", _PROPERTIES, UNIT])
        told = dict(line.partition("=")[::2] for line in shown.splitlines())
        pid = _seen_from_here(int(inside["Pid"]), int(told.get("MainPID", 0)))
        detail = f"{told['ActiveState']} ({told['SubState']}), {told['Result']}, exit status {told['ExecMainStatus']}"
        return ProgramState(NAME, _unit_state(told), pid, _started(pid), detail)

    def _systemctl(self, verb: str, unit: str) -> None:
        self._on_host(["systemctl", verb, unit])

    def _on_host(self, command: list[str]) -> str:
        try:
            return self._host.must(command, timeout_s=_CHANGE_S)
        except HostError as error:
            raise StackError(f"{NAME}: {error}") from None

    @contextlib.contextmanager
    def _asked(self, name: str) -> Iterator[docker.APIClient]:
        try:
            yield self._engine.api
        except docker.errors.NotFound:
            raise StackError(
                f"{name}: its container {container(self._run, name)} is gone; bring the stack up anew"
            ) from None
        except (docker.errors.DockerException, requests.RequestException) as error:
            raise StackError(f"{name}: the Docker engine: {reason(error)}") from error


def _container_state(found: dict[str, Any]) -> str:
    if found["Status"] == "exited":
        # 143, 130 and 137 are what a signal of `docker stop` leaves.
        return "STOPPED" if found["ExitCode"] in (0, 130, 137, 143) else "EXITED"
    return {"created": "STOPPED", "restarting": "BACKOFF", "dead": "FATAL"}.get(
        found["Status"], str(found["Status"]).upper()
    )


def _unit_state(told: dict[str, str]) -> str:
    if told["SubState"] == "auto-restart":
        return "BACKOFF"
    states = {
        "active": "RUNNING",
        "reloading": "RUNNING",
        "activating": "STARTING",
        "deactivating": "STOPPING",
        "failed": "FATAL",
    }
    return states.get(told["ActiveState"], "STOPPED")


def _seconds(moment: str) -> int:
    """Seconds since the epoch of a moment as the engine writes it; 0 for the one it writes for never."""
    return max(0, int(datetime.fromisoformat(moment[:19] + "+00:00").timestamp()))


def _seen_from_here(init: int, inside: int) -> int:
    """The number that this machine gives to a process which is `inside` below `init`; 0 when there is none."""
    if not inside:
        return 0
    space = _space(init)
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            numbers = next(
                (line.split()[1:] for line in status.read_text().splitlines() if line.startswith("NSpid:")),
                [],
            )
            if (
                len(numbers) > 1
                and numbers[-1] == str(inside)
                and _space(int(status.parent.name)) == space is not None
            ):
                return int(status.parent.name)
    return 0


def _space(pid: int) -> str | None:
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError:
        return None


def _started(pid: int) -> int:
    """When a process of this machine started, in seconds since the epoch; 0 when it is not there."""
    import psutil

    try:
        return int(psutil.Process(pid).create_time()) if pid else 0
    except psutil.NoSuchProcess:
        return 0
