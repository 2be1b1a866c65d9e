"""The containers of a stack, each as testcontainers starts it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import docker
import msgspec
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

from drills.front.behaviour import Knowledge
from drills.stacks.containers import inventory
from drills.stacks.containers.layout import Ports, container
from drills.stacks.containers.supervision import VOICE_HOST
from drills.stacks.layout import LOOPBACK, Layout, Secrets, write_private
from drills.stacks.rules import ROOT
from drills.stacks.service import Addresses

API_PORT = 8000
POSTGRES_TOOLS = Path("/usr/lib/postgresql/bin")
WHEELS = Path("/srv/wheels")
_REPOSITORY = Path(__file__).resolve().parents[3]
_SUITE = "/srv/suite"
ANYWHERE = "0.0.0.0"  # noqa: S104  (inside a container; published on 127.0.0.1 alone)
_CONTROL = 8001
_PROVIDERS = {"openai": 8101, "google": 8102, "yandex": 8103}
# The service asks each part behind the network, which has the names; the parts themselves have others.
_WAYS = {"postgres": ("postgres", 5432), "storage": ("minio", 9000)} | {
    name: (name, port) for name, port in _PROVIDERS.items()
}
_ENDS = {"postgres": "postgres-server", "storage": "minio-server"} | dict.fromkeys(_PROVIDERS, "stand-ins")
ADDRESSES = Addresses(
    database=f"{_WAYS['postgres'][0]}:{_WAYS['postgres'][1]}",
    storage=f"{_WAYS['storage'][0]}:{_WAYS['storage'][1]}",
    **{name: f"{name}:{port}" for name, port in _PROVIDERS.items()},
)
DATABASE = f"{_ENDS['postgres']}:5432"
_POSTGRES = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "60",
    "shared_buffers": "32MB",
}
_ASK_S = 60


class Parts:
    """Makes and starts the containers of one run."""

    def __init__(
        self, layout: Layout, run: str, ports: Ports, secrets: Secrets, images: Mapping[str, str]
    ) -> None:
        # The image of its reaper is one more that would have to be there; here all is labelled, and swept by that.
        testcontainers_config.ryuk_disabled = True
        self._layout, self._run, self._ports = layout, run, ports
        self._secrets, self._images = secrets, images
        self._network = Network({"timeout": _ASK_S}, {"labels": self._labels("network")})
        self._network.name = run

    def make_network(self, engine: docker.DockerClient) -> None:
        """Make what the containers share: the network, and the volumes of the two that keep data."""
        self._network.create()
        for part in ("postgres", "storage"):
            engine.volumes.create(container(self._run, part), labels=self._labels(part))

    def start_postgres(self) -> None:
        """Start PostgreSQL."""
        settings = [word for name, value in _POSTGRES.items() for word in ("-c", f"{name}={value}")]
        made = self._part("postgres", "postgres", {5432: self._ports.postgres}, [_ENDS["postgres"]])
        made.with_env("POSTGRES_PASSWORD", self._secrets.database_password)
        made.with_volume_mapping(container(self._run, "postgres"), "/var/lib/postgresql", "rw")
        made.with_command(["postgres", *settings]).start()

    def start_storage(self) -> None:
        """Start MinIO."""
        made = self._part("storage", "minio", {9000: self._ports.s3}, [_ENDS["storage"]])
        made.with_env("MINIO_ROOT_USER", ROOT)
        made.with_env("MINIO_ROOT_PASSWORD", self._secrets.s3_root_password)
        made.with_volume_mapping(container(self._run, "storage"), "/data", "rw")
        made.with_command(["server", "/data", "--quiet"]).start()

    def start_providers(self, latency_s: float | None) -> None:
        """Start the stand-ins of the three providers."""
        secrets, ports = self._secrets, self._ports
        credentials = {
            "openai": {"api_key": secrets.openai_api_key},
            "google": {"api_key": secrets.google_api_key},
            "yandex": {"api_key": secrets.yandex_api_key, "folder_id": secrets.yandex_folder},
        }
        command = ["python", "-m", "drills.providers", "--host", ANYWHERE]
        command += [
            *("--credentials", self._told("providers.json", credentials)),
            *("--control-port", str(_CONTROL)),
        ]
        command += [word for name, port in _PROVIDERS.items() for word in (f"--{name}-port", str(port))]
        if latency_s is not None:
            command += ["--latency", str(latency_s)]
        published = {
            _CONTROL: ports.providers_control,
            **{port: getattr(ports, name) for name, port in _PROVIDERS.items()},
        }
        self._stand_in("providers", published, ["stand-ins"], command)

    def start_network(self) -> None:
        """Start the relay between the service and what it talks to."""
        command = ["python", "-m", "drills.network", "--host", ANYWHERE, "--control-port", str(_CONTROL)]
        command += ["--knowledge", self._knowledge("network.json")]
        for way, (_, port) in _WAYS.items():
            command += ["--route", f"{way}={port}:{_ENDS[way]}:{port}"]
        published = {port: getattr(self._ports, f"way_{way}") for way, (_, port) in _WAYS.items()}
        published[_CONTROL] = self._ports.network_control
        self._stand_in("network", published, [name for name, _ in _WAYS.values()], command)

    def start_front(self) -> None:
        """Start the proxy before the service."""
        command = ["python", "-m", "drills.front", "--host", ANYWHERE, "--port", str(API_PORT)]
        command += ["--control-port", str(_CONTROL), "--knowledge", self._knowledge("front.json")]
        command += ["--service-host", VOICE_HOST, "--service-port", str(API_PORT)]
        published = {API_PORT: self._ports.api, _CONTROL: self._ports.front_control}
        self._stand_in("front", published, ["front"], command)

    def start_voice_host(self) -> None:
        """Start the host on which the service runs, systemd and all."""
        published = {22: self._ports.ssh, API_PORT: self._ports.service}
        made = self._part(
            VOICE_HOST,
            "host",
            published,
            [VOICE_HOST],
            hostname=VOICE_HOST,
            # What systemd needs as the first process, and what a lossy network needs; nothing is privileged.
            cap_add=["SYS_ADMIN", "NET_ADMIN"],
            security_opt=["seccomp=unconfined", "apparmor=unconfined"],
            cgroupns="host",
        )
        made.with_tmpfs_mount("/run").with_tmpfs_mount("/run/lock")
        made.with_volume_mapping("/sys/fs/cgroup", "/sys/fs/cgroup", "rw")
        made.with_volume_mapping(self._layout.root, str(self._layout.root), "rw").start()

    def _stand_in(
        self, part: str, published: Mapping[int, int], aliases: list[str], command: list[str]
    ) -> None:
        made = self._part(part, "stand-ins", published, aliases)
        made.with_volume_mapping(_REPOSITORY, _SUITE, "ro")
        made.with_volume_mapping(self._layout.run, str(self._layout.run), "ro")
        made.with_command(command).start()

    def _part(
        self, part: str, image: str, published: Mapping[int, int], aliases: Sequence[str], **more: Any
    ) -> DockerContainer:
        made = DockerContainer(self._images[image], {"timeout": _ASK_S})
        made.with_name(container(self._run, part)).with_kwargs(labels=self._labels(part), **more)
        made.with_network(self._network).with_network_aliases(*aliases)
        # Its own way of naming ports has no place for the address: they would be open to the world.
        made.ports.update({f"{inside}/tcp": (LOOPBACK, port) for inside, port in published.items()})  # type: ignore[misc]
        return made

    def _labels(self, part: str) -> dict[str, str]:
        return inventory.labels(self._layout.root, self._run, part)

    def _knowledge(self, name: str) -> str:
        return self._told(name, Knowledge(self._secrets.api_token, self._secrets.openai_api_key))

    def _told(self, name: str, content: object) -> str:
        path = self._layout.run / name
        write_private(path, msgspec.json.encode(content))
        return str(path)
