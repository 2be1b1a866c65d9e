"""Which URLs name a host, and the command lines that reach them; the way to a host failing in one clear line."""

import itertools
import os
import stat
from pathlib import Path

import pytest

from target.connection import Connection
from target.errors import HostError, TargetError
from target.host import Host, check_url


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that comes first on PATH, for programs that say what the real ones were seen to say."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def put(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


class TestUrls:
    @pytest.mark.parametrize(
        "url",
        [
            "local://",
            "local://?sudo=true",
            "ssh://voice-1",
            "ssh://deploy@voice-1:2222?ssh_identity_file=~/.ssh/id",
            "ssh://deploy@[::1]:2222",
            "ssh://deploy@10.0.0.1?ssh_config=/etc/x&sudo=true&sudo_user=voice",
            "docker://voice_v2.1",
            "docker://voice@voice-host?sudo=true",
        ],
    )
    def test_good_ones(self, url: str) -> None:
        check_url(url)

    @pytest.mark.parametrize(
        ("url", "says"),
        [
            ("", "unknown kind of host"),
            ("voice-1", "unknown kind of host"),
            ("http://voice-1", "unknown kind of host"),
            ("paramiko://voice-1", "write local://, ssh://user@host"),
            ("local://voice-1", "nothing may follow"),
            ("ssh://", "not an ssh address"),
            ("ssh://voice-1/path", "nothing may follow"),
            ("ssh://voice-1:port", "not an ssh address"),
            ("ssh://voice-1:70000", "not an ssh address"),
            ("ssh://-oProxyCommand=x", "not an ssh address"),
            ("ssh://%2doProxyCommand=x", "not an ssh address"),
            ("ssh://a@b@c", "not an ssh address"),
            ("ssh://[::1", "not a URL"),
            ("ssh://voice-1?timeot=3", "unknown option 'timeot'"),
            ("docker://", "not a container's name"),
            ("docker://-v", "not a container's name"),
            ("docker://voice?ssh_config=x", "unknown option"),
        ],
    )
    def test_bad_ones_are_told_what_to_write(self, url: str, says: str) -> None:
        with pytest.raises(TargetError) as raised:
            check_url(url)
        assert says in str(raised.value)
        assert "\n" not in str(raised.value)

    def test_a_password_is_refused_and_not_repeated(self) -> None:
        with pytest.raises(TargetError, match="a password has no place in the URL") as raised:
            Host("ssh://deploy:hunter22@voice-1")
        assert "hunter22" not in str(raised.value)


class TestCommandLines:
    def test_local(self) -> None:
        assert Connection("local://").argv(["echo", "a b"]) == ["echo", "a b"]
        assert Connection("local://?sudo=true&sudo_user=voice").argv(["echo", "it's"]) == [
            *("sudo", "-u", "voice", "/bin/sh", "-c"),
            "echo 'it'\"'\"'s'",
        ]

    def test_ssh_never_asks_and_never_waits_for_ever(self) -> None:
        argv = Connection("ssh://deploy@voice-1:2222?ssh_identity_file=/k&ssh_config=/c").argv(
            ["echo", "it's %s"]
        )
        options = {argv[i + 1] for i, word in enumerate(argv) if word == "-o"}
        assert argv[0] == "ssh"
        assert options >= {
            "BatchMode=yes",
            "ConnectTimeout=10",
            "ServerAliveInterval=5",
            "User=deploy",
            "Port=2222",
            "ControlMaster=auto",
        }
        assert ("-i", "/k") in itertools.pairwise(argv)
        assert ("-F", "/c") in itertools.pairwise(argv)
        assert argv[-2:] == ["voice-1", "echo 'it'\"'\"'s %s'"]

    def test_docker_keeps_standard_input_open(self) -> None:
        assert Connection("docker://voice").argv(["echo", "привет\n"]) == [
            *("docker", "exec", "-i", "voice", "/bin/sh", "-c"),
            "echo 'привет\n'",
        ]
        assert Connection("docker://app@voice").argv(["true"])[:6] == [
            "docker",
            "exec",
            "-i",
            "-u",
            "app",
            "voice",
        ]

    def test_content_is_in_no_command_line(self, programs: Path, tmp_path: Path) -> None:
        """A `docker` that notes its words and runs the command right here."""
        put(programs, "docker", f'printf "%s\\n" "$@" >> {tmp_path}/words; shift 3; exec "$@"\n')
        host = Host("docker://voice")
        host.write_atomically(str(tmp_path / "file"), b"KEY=hunter22\n")
        host.append(str(tmp_path / "file"), "TOKEN=hunter22")
        assert host.read(str(tmp_path / "file")) == b"KEY=hunter22\nTOKEN=hunter22\n"
        assert "hunter22" not in (tmp_path / "words").read_text()


class TestTheWayFails:
    @pytest.mark.parametrize(("url", "program"), [("ssh://voice-1", "ssh"), ("docker://voice", "docker")])
    def test_no_program_to_go_there(
        self, url: str, program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(HostError, match=f"{url}: no program '{program}' on this machine; install it"):
            Host(url).run(["true"])

    @pytest.mark.parametrize(
        "said",
        [
            "Error: No such container: voice",
            "Error response from daemon: No such container: voice",
            "Error response from daemon: Container 5f2c is not running",
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
        ],
    )
    def test_docker_has_no_such_container_running(self, programs: Path, said: str) -> None:
        """Recorded from docker 20.10 and 24."""
        put(programs, "docker", f'echo "{said}" >&2; exit 1\n')
        with pytest.raises(HostError) as raised:
            Host("docker://voice").read("/etc/voice")
        assert str(raised.value).startswith("docker://voice: cannot be reached: " + said.rstrip("."))
        assert "docker ps --all" in str(raised.value)

    def test_a_command_that_fails_in_a_container_is_a_status(self, programs: Path) -> None:
        put(programs, "docker", "echo 'grep: x: No such file or directory' >&2; exit 2\n")
        assert Host("docker://voice").run(["grep", "a", "x"]).status == 2

    def test_ssh_says_why(self, programs: Path) -> None:
        """Recorded from OpenSSH 9.2."""
        put(programs, "ssh", 'printf "Warning: x\\r\\nHost key verification failed.\\r\\n" >&2; exit 255\n')
        with pytest.raises(HostError) as raised:
            Host("ssh://deploy@voice-1").facts("/etc/voice")
        assert str(raised.value) == (
            "ssh://deploy@voice-1: cannot be reached: Host key verification failed; "
            "try the same by hand: ssh -o BatchMode=yes ssh://deploy@voice-1"
        )

    def test_nobody_listens(self) -> None:
        with pytest.raises(HostError, match="Connection refused"):
            Host("ssh://127.0.0.1:1").run(["true"])

    def test_ssh_that_hangs_is_given_up(self, programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("_CONNECT_S", "_GRACE_S", "_KILL_AFTER_S"):
            monkeypatch.setattr(f"target.connection.{name}", 0.1)
        put(programs, "ssh", "exec sleep 60\n")
        with pytest.raises(HostError, match=r"ssh://voice-1: .*no answer within 0\.5 s"):
            Host("ssh://voice-1").run(["true"], timeout_s=0.2)

    def test_sudo_that_asks_for_a_password(self, programs: Path) -> None:
        put(programs, "sudo", "echo 'sudo: a password is required' >&2; exit 1\n")
        with pytest.raises(HostError, match="a password is required"):
            Host("local://?sudo=true").run(["true"])
