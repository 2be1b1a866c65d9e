"""`Host` over ssh: the same work as on this machine, through a real sshd of the test's own on 127.0.0.1."""

import getpass
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from perf.sshd import NoSshd, Sshd, start
from target.errors import HostError
from target.host import Host
from target.wait import Seen, eventually

pytestmark = pytest.mark.drill


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    try:
        started = start(tmp_path_factory.mktemp("sshd"))
    except NoSshd as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{error}; in CI this is a failure")
    yield started
    started.stop()


@pytest.fixture
def host(sshd: Sshd) -> Host:
    return Host(sshd.url)


@pytest.mark.parametrize("name", ["a b", "it's\n$(id)", "привет", "-rf", "%C"])
def test_files(host: Host, tmp_path: Path, name: str) -> None:
    path = str(tmp_path / name)
    content = os.urandom(1 << 20)
    host.write_atomically(path, content)
    assert host.read(path) == content
    host.append(path, "строка")
    facts = host.facts(path)
    assert facts is not None
    assert facts.size == len(content) + len("\nстрока\n".encode()) - (1 if content.endswith(b"\n") else 0)
    assert host.list(str(tmp_path)) == [name]
    assert host.claim(path + ".lock")
    assert not host.claim(path + ".lock")
    with pytest.raises(HostError, match="No such file"):
        host.read(path + ".missing")


def test_status_and_words(host: Host) -> None:
    ran = host.run(["sh", "-c", 'printf "%s" "$1"; exit 7', "sh", 'it\'s\n%s "x"'])
    assert (ran.status, ran.stdout) == (7, 'it\'s\n%s "x"')
    assert host.identity() == f"{getpass.getuser()}@{os.uname().nodename}"


def test_the_command_is_killed_on_the_host_at_its_deadline(host: Host, tmp_path: Path) -> None:
    with pytest.raises(HostError, match="killed"):
        host.shell('echo $$ > "$1"; exec sleep 60', str(tmp_path / "pid"), timeout_s=0.5)
    pid = (tmp_path / "pid").read_text().strip()
    assert eventually(lambda: Seen(not Path(f"/proc/{pid}").exists(), pid), deadline_s=5).met


def test_one_connection_serves_all_commands(host: Host, sshd: Sshd) -> None:
    for _ in range(3):
        host.run(["true"])
    assert sshd.log.read_text().count("Accepted publickey") == 1


def test_a_wrong_key_and_an_unknown_host_are_told(sshd: Sshd, tmp_path: Path) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True, timeout=20
    )
    address, _, options = sshd.url.partition("?")
    config, _, key = options.partition("&")
    (tmp_path / "nobody_known").write_text("Host *\n  UserKnownHostsFile /dev/null\n")
    with pytest.raises(HostError, match="Host key verification failed"):
        Host(f"{address}?ssh_config={tmp_path}/nobody_known&{key}").run(["true"])
    with pytest.raises(HostError, match=r"cannot be reached: .*Permission denied \(publickey"):
        Host(f"{address}?{config}&ssh_identity_file={tmp_path}/other").run(["true"])


def test_an_sshd_that_stops_answering_does_not_hang_us(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_GRACE_S", "_KILL_AFTER_S", "_CONNECT_S"):
        monkeypatch.setattr(f"target.connection.{name}", 0.2)
    # Another URL of the same place: a connection of its own, made while the server is frozen.
    frozen = Host(sshd.url + "&sudo_user=nobody")
    sshd.process.send_signal(signal.SIGSTOP)
    started = time.monotonic()
    try:
        with pytest.raises(HostError, match=r"no answer within|timed out"):
            frozen.run(["true"], timeout_s=0.5)
    finally:
        sshd.process.send_signal(signal.SIGCONT)
    assert time.monotonic() - started < 5


def test_no_connection_outlives_the_process(sshd: Sshd, tmp_path: Path) -> None:
    script = (
        "import sys; from target.host import Host; from target.connection import _control_folder\n"
        "Host(sys.argv[1]).must(['true']); print(_control_folder())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, sshd.url], capture_output=True, text=True, timeout=30, check=True
    )
    folder = Path(done.stdout.strip())
    assert folder.name.startswith("v2r-")
    assert not folder.exists()
    assert (
        str(folder)
        not in subprocess.run(
            ["ps", "-eo", "args"], capture_output=True, text=True, timeout=10, check=True
        ).stdout
    )
