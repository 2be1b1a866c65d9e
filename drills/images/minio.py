"""MinIO's server, by its maintainers' documented `go install` at a pinned commit: they publish no images any more."""

import os
import shutil
import tempfile
from pathlib import Path

from drills.images import cache, command

PIN = "v0.0.0-20260212201848-7aac2a2c5b7c"
_GO = Path(__file__).resolve().parents[2] / ".ci" / "go"
_FIND_S = 300.0
_BUILD_S = 1500.0


def provide(folder: Path) -> dict[str, str]:
    """Put the server's binary into the folder; built once per pin, about three minutes. Raises StackError."""
    built = cache.folder() / f"minio-{PIN}"
    if not built.exists():
        _build(built)
    shutil.copy2(built, folder / "minio")
    return {}


def _build(to: Path) -> None:
    go = command.must([str(_GO)], timeout_s=_FIND_S, missing="use a whole checkout").strip().splitlines()[-1]
    folder = Path(tempfile.mkdtemp(prefix="minio-", dir=cache.folder()))
    try:
        command.must(
            [go, "install", "-trimpath", "-ldflags", "-s -w", f"github.com/minio/minio@{PIN}"],
            timeout_s=_BUILD_S,
            missing="install Go 1.24 or newer",
            cwd=folder,
            environment={**os.environ, "GOBIN": str(folder), "CGO_ENABLED": "0"},
        )
        (folder / "minio").replace(to)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
