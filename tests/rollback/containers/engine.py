"""A real Docker engine for these tests: tiny images of our own, a registry, and everything told apart by the run."""

import io
import itertools
import json
import os
import re
import socket
import subprocess
import tarfile
import urllib.request
from pathlib import Path

from target.wait import Seen, eventually

_NUMBERS = itertools.count(1)
LABEL = "voice-v2-rollback-tests"
_BUSYBOX = ("/bin/busybox", "/usr/bin/busybox")
# The first process of a container ends at once only where it has asked for the signal.
_SERVE = "trap 'exit 0' TERM; httpd -f -p 8000 -h /www & wait"


def docker(*words: str, stdin: bytes = b"", check: bool = True) -> str:
    """Run the docker client; what it printed."""
    ran = subprocess.run(["docker", *words], input=stdin, capture_output=True, check=False, timeout=120)
    assert not check or ran.returncode == 0, f"docker {' '.join(words)}: {ran.stderr.decode()}"
    return ran.stdout.decode()


class Engine:
    """The engine, with the images of this run: `good` (2.3.1), `bad` (2.4.0) and `worse` (answers that it is ill)."""

    def __init__(self) -> None:
        self.run = f"rbt{os.getpid()}x{next(_NUMBERS)}"
        self.ids = {
            "good": self._image("good", "2.3.1", "healthy"),
            "bad": self._image("bad", "2.4.0", "healthy"),
            "worse": self._image("worse", "2.3.1", "failing"),
            "unhealthy": self._image("unhealthy", "2.3.1", "healthy", healthcheck="false"),
            "pulled": "",
            "dies": self._image("dies", "2.3.1", "healthy", serve="exit 3"),
        }

    def name(self, which: str) -> str:
        """The local name of an image."""
        return f"{self.run}/voice-v2:{which}"

    def _image(
        self,
        which: str,
        version: str,
        status: str,
        *,
        serve: str = _SERVE,
        healthcheck: str = "test -e /www/health",
    ) -> str:
        busybox = next((Path(path) for path in _BUSYBOX if Path(path).exists()), None)
        assert busybox is not None, "no static busybox on this machine: apt-get install busybox-static"
        health = {"system_status": status, "version": version, "revision": None, "providers": {}}
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add(busybox, "bin/busybox")
            for name in ("sh", "cat", "httpd", "sleep", "test", "false"):
                link = tarfile.TarInfo(f"bin/{name}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
            content = json.dumps(health).encode()
            page = tarfile.TarInfo("www/health")
            page.size = len(content)
            tar.addfile(page, io.BytesIO(content))
        changes = (
            f"LABEL {LABEL}={self.run}",
            f'CMD ["/bin/sh", "-c", "{serve}"]',
            f"HEALTHCHECK --interval=200ms --timeout=5s --retries=2 CMD {healthcheck}",
        )
        more = [word for change in changes for word in ("--change", change)]
        return docker("import", *more, "-", self.name(which), stdin=archive.getvalue()).strip()

    def tag(self, which: str, name: str) -> None:
        docker("tag", self.ids[which], name)

    def make(self, which: str, version: str = "2.3.0") -> None:
        """Another image of that name."""
        self.ids[which] = self._image(which, version, "healthy")

    def forget(self, which: str) -> None:
        """Remove an image from the engine, under every name."""
        docker("rmi", "--force", self.ids[which])

    def inventory(self) -> list[str]:
        """Every container with its start, every image with its names: but for what other tests make meanwhile."""
        containers = docker("ps", "--all", "--quiet", "--no-trunc").split()
        images = docker("images", "--all", "--quiet", "--no-trunc").split()
        return sorted(
            [
                *self._told("{{.Id}} {{.Image}} {{.State.StartedAt}}", containers),
                *self._told("{{.Id}} {{.RepoTags}} {{.RepoDigests}}", sorted(set(images))),
            ]
        )

    def _told(self, what: str, ids: list[str]) -> list[str]:
        if not ids:
            return []
        told = docker("inspect", "--format", f"{{{{json .Config.Labels}}}} {what}", *ids, check=False)
        found = []
        for line in told.splitlines():
            labels, at = json.JSONDecoder().raw_decode(line)
            theirs = [
                key
                for key, value in (labels or {}).items()
                if key.startswith("voice-v2-drill") or (key == LABEL and value != self.run)
            ]
            if not theirs:
                found.append(line[at:].strip())
        return found

    def clear(self) -> None:
        remove(self.run)


def remove(run: str) -> None:
    """Remove what a run has made: containers and networks of its compose projects, its images; nothing else."""
    projects = set(
        docker(
            "ps",
            "--all",
            "--filter",
            f"label={LABEL}={run}",
            "--format",
            '{{.Label "com.docker.compose.project"}}',
        ).split()
    )
    networks = docker("network", "ls", "--format", '{{.Name}} {{.Label "com.docker.compose.project"}}')
    projects.update(
        name for line in networks.splitlines() for name in line.split()[1:] if name.startswith(run)
    )
    for project in projects:
        for kind, delete in (("ps --all", "rm --force --volumes"), ("network ls", "network rm")):
            found = docker(
                *kind.split(), "--quiet", "--filter", f"label=com.docker.compose.project={project}"
            ).split()
            if found:
                docker(*delete.split(), *found)
    images = docker("images", "--quiet", "--no-trunc", "--filter", f"label={LABEL}={run}").split()
    if images:
        docker("rmi", "--force", *set(images))


def remove_of_the_dead() -> None:
    """Remove what runs that were killed have left."""
    listed = docker("images", "--quiet", "--filter", f"label={LABEL}").split()
    labels = (
        docker("inspect", "--format", f'{{{{index .Config.Labels "{LABEL}"}}}}', *listed) if listed else ""
    )
    for run in set(labels.split()):
        found = re.fullmatch(r"rbt(\d+)x\d+", run)
        if found and not Path(f"/proc/{found[1]}").exists():
            remove(run)


class Registry:
    """Debian's docker-registry on a free port of this machine, with its data in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"
        config = folder / "registry.json"
        config.write_text(
            json.dumps(
                {
                    "version": "0.1",
                    "log": {"accesslog": {"disabled": True}},
                    "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}},
                    "http": {"addr": self.address},
                }
            )
        )
        self._process = subprocess.Popen(
            ["docker-registry", "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        waited = eventually(self._answers, deadline_s=20, interval_s=0.05)
        assert waited.met, waited.seen

    def _answers(self) -> Seen:
        try:
            with urllib.request.urlopen(f"http://{self.address}/v2/", timeout=2) as answer:
                return Seen(met=answer.status == 200, seen="")
        except OSError as error:
            return Seen(met=False, seen=str(error))

    def push(self, engine: Engine, which: str, tag: str) -> str:
        """Have an image under `voice-v2:tag`; its digest. No name of it stays on the engine."""
        name = f"{self.address}/voice-v2:{tag}"
        engine.tag(which, name)
        docker("push", "--quiet", name)
        digests = docker("inspect", "--format", '{{join .RepoDigests " "}}', name).split()
        docker("rmi", name)
        found = next(each for each in digests if each.startswith(self.address))
        docker("rmi", found, check=False)
        return found.partition("@")[2]

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)
