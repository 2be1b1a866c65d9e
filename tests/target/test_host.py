"""`Host` on this very machine: commands, deadlines, and files that are whole or untouched."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from target.errors import HostError
from target.host import Host
from target.wait import Seen, eventually


class TestCommands:
    def test_words_arrive_as_they_are(self, host: Host, awkward: str) -> None:
        ran = host.run(["printf", "%s|%s", awkward, "end"])
        assert (ran.status, ran.stdout) == (0, f"{awkward}|end")
        assert host.shell('printf "%s" "$1"', awkward).stdout == awkward

    def test_status_and_both_streams_come_back(self, host: Host) -> None:
        ran = host.shell("echo out; echo err >&2; exit 7")
        assert (ran.status, ran.ok, ran.stdout, ran.stderr) == (7, False, "out\n", "err\n")
        assert 0 < ran.seconds < 10

    def test_a_command_that_is_not_there_is_a_status(self, host: Host) -> None:
        ran = host.run(["no-such-command-here"])
        assert ran.status == 127
        assert "no-such-command-here" in ran.stderr

    def test_working_folder(self, host: Host, tmp_path: Path) -> None:
        folder = tmp_path / "it's a\nfolder"
        folder.mkdir()
        assert host.run(["pwd", "-P"], cwd=str(folder)).stdout == f"{folder}\n"

    def test_a_missing_working_folder_is_an_error_and_runs_nothing(self, host: Host, tmp_path: Path) -> None:
        with pytest.raises(HostError, match="cannot enter the folder"):
            host.run(["touch", str(tmp_path / "ran")], cwd=str(tmp_path / "missing"))
        assert not (tmp_path / "ran").exists()

    def test_a_command_that_ends_with_that_status_itself_is_no_error(
        self, host: Host, tmp_path: Path
    ) -> None:
        assert host.run(["sh", "-c", "exit 125"], cwd=str(tmp_path)).status == 125

    def test_output_that_is_not_utf8_is_shown(self, host: Host) -> None:
        assert host.shell(r"printf 'caf\351 \377'").stdout == "caf\ufffd \ufffd"

    def test_must_names_command_host_status_and_last_lines(self, host: Host) -> None:
        with pytest.raises(HostError) as raised:
            host.must(["sh", "-c", "echo first >&2; echo it broke >&2; exit 3"])
        assert "local://" in str(raised.value)
        assert "status 3" in str(raised.value)
        assert "it broke" in str(raised.value)
        assert host.must(["echo", "fine"]) == "fine\n"

    def test_a_nul_in_a_word_is_an_error(self, host: Host) -> None:
        with pytest.raises(HostError, match="null byte"):
            host.run(["echo", "a\0b"])

    def test_a_line_too_long_for_the_system_is_an_error(self, host: Host) -> None:
        with pytest.raises(HostError, match="too long"):
            host.run(["true", "x" * (1 << 20)])

    def test_clock_and_identity(self, host: Host) -> None:
        before = time.time()
        assert before - 0.001 <= host.now() <= time.time() + 0.001
        assert host.identity() == f"{_user()}@{os.uname().nodename}"

    def test_importing_and_making_a_host_does_not_load_testinfra(self) -> None:
        script = "import sys, target.host; target.host.Host('local://'); sys.exit('testinfra' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", script], check=False, timeout=20).returncode == 0

    def test_threads_share_a_host(self, host: Host) -> None:
        seen: list[str] = []
        threads = [
            threading.Thread(
                target=lambda number=number: seen.append(host.run(["echo", str(number)]).stdout.strip())
            )
            for number in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert sorted(seen) == [str(number) for number in range(8)]


class TestDeadlines:
    def test_the_command_and_its_children_are_killed(self, host: Host, tmp_path: Path) -> None:
        pids = tmp_path / "pids"
        script = 'echo $$ >> "$1"; sleep 60 & echo $! >> "$1"; wait'
        with pytest.raises(HostError, match=r"not finished within 1 s"):
            host.shell(script, str(pids), timeout_s=1.0)
        for pid in pids.read_text().split():
            assert eventually(lambda pid=pid: Seen(not _alive(int(pid)), pid), deadline_s=5).met

    def test_a_command_that_ignores_the_polite_signal_is_killed_too(self, host: Host) -> None:
        started = time.monotonic()
        with pytest.raises(HostError, match="killed"):
            host.shell("trap '' TERM; while :; do sleep 0.1; done", timeout_s=0.2)
        assert time.monotonic() - started < 5

    def test_a_command_that_ends_with_status_124_by_itself_is_no_timeout(self, host: Host) -> None:
        assert host.shell("exit 124").status == 124

    def test_a_survivor_that_holds_the_output_open_does_not_hang_us(
        self, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("target.connection._GRACE_S", 0.1)
        monkeypatch.setattr("target.connection._KILL_AFTER_S", 0.1)
        started = time.monotonic()
        with pytest.raises(HostError, match="no answer within"):
            host.shell('setsid sleep 60 & echo $! > "$1"', str(tmp_path / "pid"), timeout_s=1.0)
        assert time.monotonic() - started < 5
        with contextlib.suppress(ProcessLookupError):
            os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)

    def test_ctrl_c_stops_the_command_at_once(self, tmp_path: Path) -> None:
        pid_file = tmp_path / "pid"
        script = (
            "import sys; from target.host import Host\n"
            "Host('local://').shell('echo $$ > \"$1\"; exec sleep 60', sys.argv[1])"
        )
        process = subprocess.Popen([sys.executable, "-c", script, str(pid_file)], stderr=subprocess.DEVNULL)
        try:
            started = eventually(
                lambda: Seen(bool(pid_file.exists() and pid_file.read_text()), "pid"), deadline_s=20
            )
            assert started.met
            process.send_signal(signal.SIGINT)
            assert process.wait(10) != 0
            pid = int(pid_file.read_text())
            assert eventually(lambda: Seen(not _alive(pid), "alive"), deadline_s=5).met
        finally:
            process.kill()
            process.wait(10)


def _alive(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def _user() -> str:
    return subprocess.run(
        ["id", "-un"], capture_output=True, text=True, check=True, timeout=10
    ).stdout.strip()
