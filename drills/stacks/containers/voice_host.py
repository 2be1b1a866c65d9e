"""The inside of the voice host: the unit, the virtualenv, the schema, and the way in by ssh."""

from urllib.parse import quote

from drills.stacks.commands import Commands, base_environment
from drills.stacks.containers.layout import Ports, ssh_config
from drills.stacks.containers.parts import API_PORT, DATABASE, WHEELS
from drills.stacks.containers.supervision import UNIT
from drills.stacks.errors import StackError
from drills.stacks.layout import LOOPBACK, Layout, write_private
from target.errors import HostError, PastDeadline
from target.host import Host
from target.wait import Seen, eventually

_BOOT_S = 30.0
_INSTALL_S = 120.0
_MIGRATE_S = 60.0
_KEY_S = 20.0
_DATABASE = "database-here"
_HOST_KEY = "/etc/ssh/ssh_host_ed25519_key.pub"


def wait_booted(host: Host) -> None:
    """Wait until systemd is done with starting. Raises StackError."""

    def look() -> Seen:
        try:
            said = host.run(["systemctl", "is-system-running"], timeout_s=10).stdout.strip()
        except PastDeadline as error:
            return Seen(False, str(error))
        except HostError as error:
            return Seen(False, str(error), final=True)  # its container is gone
        return Seen(said in ("running", "degraded"), said or "no answer yet")

    waited = eventually(look, deadline_s=_BOOT_S)
    if not waited.met:
        raise StackError(f"voice host: systemd is not up after {waited.seconds:.0f} s ({waited.seen})")


def write_units(host: Host, layout: Layout, ports: Ports) -> None:
    """Make the service a unit of the host; and what makes the database's address in the target file hold there too."""
    service = f"""\
[Unit]
Description=voice-v2
After=network.target

[Service]
WorkingDirectory={layout.service}
EnvironmentFile={layout.environment}
Environment=PYTHONUNBUFFERED=1
ExecStart={layout.venv}/bin/python -m uvicorn app.main:app --host 0.0.0.0 --port {API_PORT} --no-access-log
Restart=always
RestartSec=3
TimeoutStopSec=10

[Install]
WantedBy=multi-user.target
"""
    # What pg_dump does on the host goes to the address that the operator has, the published port.
    listening = f"""\
[Socket]
ListenStream={LOOPBACK}:{ports.postgres}

[Install]
WantedBy=sockets.target
"""
    passing = f"""\
[Service]
ExecStart=/lib/systemd/systemd-socket-proxyd {DATABASE}
"""
    units = {f"{UNIT}.service": service, f"{_DATABASE}.socket": listening, f"{_DATABASE}.service": passing}
    for name, text in units.items():
        host.write_atomically(f"/etc/systemd/system/{name}", text.encode(), mode=0o644)
    host.must(["systemctl", "daemon-reload"])
    host.must(["systemctl", "enable", "--quiet", UNIT])
    host.must(["systemctl", "enable", "--quiet", "--now", f"{_DATABASE}.socket"])


def make_virtualenv(host: Host, layout: Layout) -> None:
    """Make the service's virtualenv with the host's own interpreter and wheels, offline. Raises HostError.

    systemd may be starting, and empties /tmp then: nothing here may depend on what lies there, uv's cache least of all.
    """
    host.must(["uv", "venv", "--quiet", "--no-config", "--python", "/usr/bin/python3", str(layout.venv)])
    install = ["uv", "pip", "install", "--quiet", "--no-config", "--offline", "--no-index"]
    install += ["--python", f"{layout.venv}/bin/python", "--find-links", str(WHEELS), "--require-hashes"]
    install += ["--link-mode", "copy", "-r", str(WHEELS / "requirements.txt")]
    host.must(install, timeout_s=_INSTALL_S)


def migrate(host: Host, layout: Layout) -> None:
    """Bring the schema up to the code's newest revision, as a deployment would."""
    command = [f"{layout.venv}/bin/python", "-m", "alembic", "upgrade", "head"]
    host.must(command, cwd=str(layout.service), timeout_s=_MIGRATE_S)


def let_in(commands: Commands, host: Host, layout: Layout, ports: Ports) -> None:
    """Let root in by a key that is made for this run, and write down the host's own key."""
    key = layout.run / "ssh_key"
    make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "voice-v2-drill", "-f", str(key)]
    commands.must("ssh", make, cwd=layout.root, environment=base_environment(), timeout_s=_KEY_S)
    public = key.with_suffix(".pub").read_bytes()
    host.make_folder("/root/.ssh")
    host.write_atomically("/root/.ssh/authorized_keys", public)

    def look() -> Seen:
        there = host.facts(_HOST_KEY) is not None
        return Seen(there, "" if there else "sshd has no key yet")

    waited = eventually(look, deadline_s=_KEY_S)
    if not waited.met:
        raise StackError(f"voice host: {waited.seen} after {waited.seconds:.0f} s")
    words = host.read(_HOST_KEY).decode().split()
    known = layout.run / "known_hosts"
    write_private(known, f"[{LOOPBACK}]:{ports.ssh} {' '.join(words[:2])}\n")
    write_private(
        ssh_config(layout),
        f"Host *\n  IdentityFile {key}\n  IdentitiesOnly yes\n  UserKnownHostsFile {known}\n"
        "  StrictHostKeyChecking yes\n",
    )


def ssh_url(layout: Layout, ports: Ports) -> str:
    """How a target names the voice host by ssh."""
    return f"ssh://root@{LOOPBACK}:{ports.ssh}?ssh_config={quote(str(ssh_config(layout)), safe='/')}"
