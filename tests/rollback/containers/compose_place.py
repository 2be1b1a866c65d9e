"""A compose project as a team might have it, and what a person would do there."""

import itertools
import json
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drills.stacks.layout import Ports, choose_ports
from target.host import Host
from target.record import Record, Records
from target.wait import Seen, eventually
from tests.rollback.containers.engine import LABEL, Engine, docker
from tests.rollback.place import Place

_NUMBERS = itertools.count(1)
VERSION = 'version: "3.8"\n'  # without it docker-compose 1.29 reads nothing that has services in it


class ComposePlace(Place):
    """`app` is the project's folder; its service publishes /health on `port`, which no client is given by chance."""

    def __init__(self, folder: Path, engine: Engine, program: str) -> None:
        self.folder = folder
        self.engine = engine
        self.program = program.split()
        self.app = folder / f"{engine.run}-{next(_NUMBERS)}"
        self.app.mkdir()
        self.state = folder / "state"
        self.target = folder / "target.yaml"
        self.file = self.app / "docker-compose.yml"
        self.port = choose_ports(Ports).api

    @property
    def label(self) -> str:
        """What every container of these tests has."""
        return f"{LABEL}: {self.engine.run}"

    @property
    def common_lines(self) -> str:
        """What a service has that serves here."""
        return f'ports: ["127.0.0.1:{self.port}:8000"]\n    labels: {{{self.label}}}'

    def describe(self, text: str | None = None, **files: str) -> None:
        """Write the project: `docker-compose.yml`, and others by their names (`__` for a dot)."""
        self.file.write_text(text or self.plain())
        for name, content in files.items():
            (self.app / name.replace("__", ".").replace("_", "-")).write_text(content)

    def plain(self, image: str = "", more: str = "") -> str:
        image = image or self.engine.name("bad")
        return (
            f"# the image: voice-v2\n{VERSION}services:\n  voice-v2:\n    image: {image}  # latest\n"
            f"    {self.common_lines}\n    environment:\n      MODE: ok$$y\n{more}"
        )

    def write_target(self, **compose: Any) -> None:
        described = {"file": str(self.file), "service": "voice-v2", **compose}
        data = {
            "name": "tiny",
            "api": {"url": f"http://127.0.0.1:{self.port}", "timeout_s": 2},
            "state_dir": str(self.state),
            "service": {"compose": described, "ready_s": 8},
        }
        self.target.write_text(json.dumps(data))

    def record(
        self, which: str = "good", name: str = "2.3.1", version: str | None = "2.3.1", **more: Any
    ) -> None:
        record = Record(
            name=name,
            version=version,
            revision=None,
            taken_at=more.pop("taken_at", "2026-11-20T09:12:00Z"),
            taken_by="ops@here",
            state=more.pop("state", "healthy"),
            image_digest=self.engine.ids.get(which, which),
            **more,
        )
        Records(Host("local://"), str(self.state)).save(record)

    def up(self, *words: str) -> None:
        """What a person types in the folder."""
        ran = subprocess.run(
            [*self.program, *words, "up", "-d", "voice-v2"],
            cwd=self.app,
            check=False,
            capture_output=True,
            timeout=60,
        )
        assert ran.returncode == 0, ran.stderr.decode()
        self.wait_for(lambda: self.runs() is not None)

    def wait_for(self, holds: Callable[[], bool]) -> None:
        waited = eventually(lambda: Seen(met=holds(), seen=""), deadline_s=20, interval_s=0.05)
        assert waited.met, docker("ps", "--all", "--filter", f"label={LABEL}={self.engine.run}")

    def down(self) -> None:
        project = f"label=com.docker.compose.project={self.app.name}"
        containers = docker("ps", "--all", "--quiet", "--filter", project).split()
        if containers:
            docker("rm", "--force", *containers)
        networks = docker("network", "ls", "--quiet", "--filter", project).split()
        if networks:
            docker("network", "rm", *networks)

    def reset(self) -> None:  # type: ignore[override]
        """Back to a running bad image, nothing recorded but the good one."""
        for left in self.app.glob("*.yml.*"):
            left.unlink()
        shutil.rmtree(self.state, ignore_errors=True)
        self.start()

    def start(self, text: str | None = None, **files: str) -> None:
        """The usual beginning: described, running with the bad image, the good one recorded."""
        self.describe(text, **files)
        self.write_target()
        self.up()
        self.record()

    def serves_version(self) -> str:
        """The version that /health tells."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5) as answer:
            return str(json.load(answer)["version"])

    def is_refused(self, *words: str) -> str:
        """The action is refused and changes nothing; its words, on one line."""
        before = self.inventory()
        code, out = self.run("containers", *words)
        assert code == 5, out
        assert self.inventory() == before
        assert re.search(r"nothing was changed|Nothing was changed|end it first", " ".join(out.split())), out
        return " ".join(out.split())

    def runs(self, service: str = "voice-v2") -> str | None:
        """Which image the one running container of the service has."""
        found = docker(
            "ps",
            "--quiet",
            "--filter",
            f"label=com.docker.compose.project={self.app.name}",
            "--filter",
            f"label=com.docker.compose.service={service}",
        ).split()
        if len(found) != 1:
            return None
        image = docker("inspect", "--format", "{{.Image}}", *found).strip()
        return next((which for which, known in self.engine.ids.items() if known == image), image)

    def inventory(self, folder: Path | None = None) -> dict[str, tuple[Any, ...]]:
        """The files, and everything on the engine."""
        return {**super().inventory(folder), "engine": tuple(self.engine.inventory())}
