"""Everything on the engine that belongs to a stack, told by its labels; nothing else is ever looked at."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Literal

import docker
import docker.errors
import msgspec
import requests

from drills.stacks.errors import StackError
from target.wait import Seen, eventually

STACK = "voice-v2-drill.stack"
RUN = "voice-v2-drill.run"
OWNER = "voice-v2-drill.owner"
PART = "voice-v2-drill.stack-part"
_ASK_S = 60
_REMOVE_S = 30.0


class Thing(msgspec.Struct, frozen=True):
    """A container, network or volume of a stack: `folder` is the stack's, `owner` who brought it up."""

    kind: Literal["container", "network", "volume"]
    name: str
    folder: Path
    run: str
    owner: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@contextmanager
def engine() -> Iterator[docker.DockerClient]:
    """The engine, for a `with` block. Raises StackError: none answers, or it refuses what it was asked in the block."""
    try:
        client = docker.from_env(timeout=_ASK_S)
        try:
            client.ping()
            yield client
        finally:
            client.close()
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise StackError(f"the Docker engine: {reason(error)}") from error


def answers() -> bool:
    """Whether there is an engine that can be asked."""
    try:
        with engine():
            return True
    except StackError:
        return False


def reason(error: Exception) -> str:
    """What the engine says, in a line, with what to do where nobody answers."""
    said = str(getattr(error, "explanation", None) or error).strip().splitlines()
    text = said[-1] if said else type(error).__name__
    if isinstance(error, docker.errors.APIError):
        return text
    return f"it does not answer ({text[:200]}); start it: .ci/engine"


def labels(folder: Path, run: str, part: str) -> dict[str, str]:
    """The labels of a part of a stack that this process brings up."""
    return {STACK: str(folder), RUN: run, OWNER: this_process(), PART: part}


def this_process() -> str:
    """This process, told apart from a later one of the same number."""
    return f"{os.getpid()} {started(os.getpid())}"


def started(pid: int) -> str | None:
    """When a process started, in ticks since the boot; None when there is none such."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return None


def alive(owner: str) -> bool:
    """Whether the process that a label names still runs."""
    pid, _, at = owner.partition(" ")
    return pid.isdigit() and started(int(pid)) == at


def things(client: docker.DockerClient, folder: Path | None = None) -> list[Thing]:
    """What there is of the stack in the folder, or of all stacks: containers first, then networks, then volumes."""
    wanted = {"label": RUN if folder is None else [RUN, f"{STACK}={folder}"]}
    found = [
        _thing("container", each["Names"][0].lstrip("/"), each["Labels"])
        for each in client.api.containers(all=True, filters=wanted)
    ]
    found += [_thing("network", each["Name"], each["Labels"]) for each in client.api.networks(filters=wanted)]
    volumes = client.api.volumes(filters=wanted)["Volumes"] or []
    return found + [_thing("volume", each["Name"], each["Labels"]) for each in volumes]


def _thing(kind: Literal["container", "network", "volume"], name: str, told: dict[str, str]) -> Thing:
    return Thing(kind, name, Path(told.get(STACK, "")), told.get(RUN, ""), told.get(OWNER, ""))


def runs(client: docker.DockerClient, name: str) -> bool:
    """Whether the container of that name runs."""
    try:
        return bool(client.api.inspect_container(name)["State"]["Running"])
    except docker.errors.NotFound:
        return False


def remove(client: docker.DockerClient, chosen: Sequence[Thing]) -> None:
    """Remove them, containers first, and wait until those are gone; no error when somebody else removes one too."""
    how = {
        "container": lambda name: client.api.remove_container(name, force=True, v=True),
        "network": client.api.remove_network,
        "volume": lambda name: client.api.remove_volume(name, force=True),
    }
    for thing in sorted(chosen, key=lambda each: list(how).index(each.kind)):
        try:
            how[thing.kind](thing.name)
        except docker.errors.NotFound:
            continue
        except docker.errors.APIError as error:
            if "already in progress" not in str(error):
                raise
            eventually(partial(_gone, client, thing.name), deadline_s=_REMOVE_S)


def _gone(client: docker.DockerClient, name: str) -> Seen:
    try:
        client.api.inspect_container(name)
    except docker.errors.NotFound:
        return Seen(True, "gone")
    return Seen(False, f"{name} is being removed")
