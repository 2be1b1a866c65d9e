"""The parts of a stack as programs under supervisord, and supervisord asked over its XML-RPC interface."""

import http.client
import shlex
import sys
import xmlrpc.client
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from supervisor.xmlrpc import Faults

from drills.stacks.commands import tethered
from drills.stacks.errors import PortTakenError, StackError
from drills.stacks.layout import LOOPBACK, Layout, Secrets
from drills.stacks.processes.layout import Ports
from drills.stacks.stack import ProgramState
from target.wait import Seen, eventually

_USER = "stack"
_TAIL_LINES = 12
_LOG_TAIL_BYTES = 16 << 10
_SETTLE_S = 15.0
_TAKEN = ("address already in use", "errno 98", "could not bind ipv4 address")


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """A part that supervisord runs. `stop` is the signal that ends it in good order.

    `orphaned` is the signal it gets when supervisord dies before it.
    """

    name: str
    command: Sequence[str]
    directory: Path
    environment: Mapping[str, str] = {}
    stop: Literal["TERM", "INT", "KILL"] = "TERM"
    stop_s: int = 10
    orphaned: Literal["KILL", "QUIT"] = "KILL"
    restart: Literal["true", "unexpected"] = "unexpected"
    user: str | None = None


def configuration(layout: Layout, ports: Ports, secrets: Secrets, programs: Sequence[Program]) -> str:
    """The text of supervisord.conf; nothing starts by itself, since the parts wait for what they need."""
    head = f"""\
[supervisord]
nodaemon=true
silent=true
logfile={layout.logs.name}/supervisord.log
logfile_backups=1
pidfile={layout.run.name}/supervisord.pid
childlogdir={layout.logs.name}
identifier=voice-v2-stack

[inet_http_server]
port={LOOPBACK}:{ports.supervisor}
username={_USER}
password={secrets.supervisor_password}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=http://{LOOPBACK}:{ports.supervisor}
username={_USER}
password={secrets.supervisor_password}
"""
    return head + "".join(_section(layout, program) for program in programs)


def _section(layout: Layout, program: Program) -> str:
    command = shlex.join(tethered(program.command, program.orphaned, program.user))
    environment = ",".join(f'{name}="{_quoted(value)}"' for name, value in program.environment.items())
    return f"""
[program:{program.name}]
command={_quoted(command)}
directory={_quoted(program.directory)}
environment={environment}
autostart=false
autorestart={program.restart}
startsecs=2
startretries=3
stopsignal={program.stop}
stopwaitsecs={program.stop_s}
stopasgroup={"true" if program.stop == "KILL" else "false"}
killasgroup=true
redirect_stderr=true
stdout_logfile={layout.logs.name}/{program.name}.log
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=1
"""


def _quoted(value: object) -> str:
    return str(value).replace("%", "%%")


def log_of(layout: Layout, name: str) -> Path:
    """The log of a part."""
    return layout.logs / f"{name}.log"


def last_lines(path: Path, lines: int = _TAIL_LINES) -> list[str]:
    """The last lines of a log; empty when it is not there."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _LOG_TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    return text.splitlines()[-lines:]


def failure(layout: Layout, name: str, what: str) -> StackError:
    """The error for a part that failed, with the last lines of its log."""
    log = log_of(layout, name)
    lines = last_lines(log)
    text = "\n".join(
        [f"{name}: {what}; its log ends ({log}):", *(f"    {line}" for line in lines or ["(empty)"])]
    )
    taken = any(sign in line.lower() for line in lines for sign in _TAKEN)
    return (PortTakenError if taken else StackError)(text)


def supervisord_command(layout: Layout) -> list[str]:
    """supervisord in the foreground, ended in good order when its keeper dies."""
    program = Path(sys.executable).with_name("supervisord")
    if not program.exists():
        raise StackError(f"supervisord is missing beside {sys.executable}; install requirements-dev.txt")
    return tethered([sys.executable, str(program), "-c", str(layout.supervisor_config)], "TERM")


class _BoundedTransport(xmlrpc.client.Transport):
    def __init__(self, timeout_s: float) -> None:
        super().__init__()
        self._timeout_s = timeout_s

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = super().make_connection(host)
        connection.timeout = self._timeout_s
        return connection


class Supervisor:
    """A running supervisord. Every call is bounded; what cannot be done raises `StackError`."""

    def __init__(self, layout: Layout, ports: Ports, secrets: Secrets, *, timeout_s: float = 30.0) -> None:
        self._layout = layout
        self._url = f"http://{_USER}:{secrets.supervisor_password}@{LOOPBACK}:{ports.supervisor}/RPC2"
        self._timeout_s = timeout_s

    def _call(self, method: str, *arguments: object) -> Any:
        # A proxy of its own for each call: one cannot be shared between threads.
        server = xmlrpc.client.ServerProxy(self._url, transport=_BoundedTransport(self._timeout_s))
        try:
            return getattr(server.supervisor, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == Faults.SPAWN_ERROR and method == "startProcess":
                return None  # whether it started is what `state` says: now and then supervisord knows at once
            raise StackError(f"supervisord refuses {method} {arguments}: {fault.faultString}") from None
        except (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError) as error:
            reason = error.errmsg if isinstance(error, xmlrpc.client.ProtocolError) else error
            raise StackError(f"supervisord of {self._layout.root} does not answer ({reason})") from None
        finally:
            server("close")()

    def answers(self) -> bool:
        """Whether it is there and is the one of this stack."""
        try:
            return bool(self._call("getIdentification") == "voice-v2-stack")
        except StackError:
            return False

    def states(self) -> list[ProgramState]:
        """Every program as it is now."""
        return [_state(info) for info in self._call("getAllProcessInfo")]

    def state(self, name: str) -> ProgramState:
        """One program as it is now."""
        return _state(self._call("getProcessInfo", name))

    def start(self, name: str) -> None:
        """Start a program without waiting for it to be ready; nothing happens when it runs."""
        if self.state(name).state not in ("RUNNING", "STARTING"):
            self._call("startProcess", name, False)

    def stop(self, name: str) -> None:
        """Stop a program and wait until it has stopped; nothing happens when it does not run."""
        # One who was killed meanwhile may have begun to stop it.
        eventually(lambda: Seen(self.state(name).state != "STOPPING", "stopping"), deadline_s=_SETTLE_S)
        if self.state(name).state not in ("STOPPED", "EXITED", "FATAL"):
            self._call("stopProcess", name, True)

    def stop_all(self) -> None:
        """Stop every program, all at once, and wait until they have stopped."""
        self._call("stopAllProcesses", True)

    def restart(self, name: str) -> None:
        """Stop, then start."""
        self.stop(name)
        self.start(name)

    def signal(self, name: str, what: str) -> None:
        """Send a program a signal, by its name without SIG."""
        self._call("signalProcess", name, what)

    def wait_settled(self) -> None:
        """Wait until no program is on its way up or down. Raises StackError naming those that still are."""

        def look() -> Seen:
            moving = [
                state.name for state in self.states() if state.state in ("STARTING", "STOPPING", "BACKOFF")
            ]
            return Seen(not moving, ", ".join(moving))

        waited = eventually(look, deadline_s=_SETTLE_S)
        if not waited.met:
            raise StackError(f"still on the way after {waited.seconds:.0f} s: {waited.seen}")

    def raise_if_failed(self, name: str) -> None:
        """Raises StackError with the last lines of its log when a program is not going to come up."""
        state = self.state(name)
        if state.state in ("FATAL", "EXITED", "UNKNOWN", "BACKOFF"):
            raise failure(self._layout, name, f"did not start ({state.detail or state.state})")


def _state(info: dict[str, Any]) -> ProgramState:
    detail = str(info["spawnerr"] or info["description"])
    return ProgramState(
        str(info["name"]), str(info["statename"]), int(info["pid"]), int(info["start"]), detail
    )
