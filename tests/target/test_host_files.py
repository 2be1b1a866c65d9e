"""`Host`'s files on this very machine: whole or untouched, whatever their names, whoever asks."""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from target.errors import HostError
from target.host import Host


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk],
        check=False,
        capture_output=True,
        text=True,
        timeout=10,
    )
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True, timeout=10)


class TestReading:
    def test_awkward_names(self, host: Host, tmp_path: Path, awkward: str) -> None:
        path = str(tmp_path / awkward)
        host.write_atomically(path, b"one\0\xff\n")
        host.append(path, "two")
        facts = host.facts(path)
        assert facts is not None
        assert (facts.kind, facts.mode, facts.size) == ("regular", 0o600, 10)
        assert host.read(path) == b"one\0\xff\ntwo\n"
        assert host.list(str(tmp_path)) == [awkward]
        host.copy_beside(path, path + ".copy")
        host.rename(path + ".copy", path + ".moved")
        assert host.sha256(path) == host.sha256(path + ".moved")
        host.remove(path)
        assert host.list(str(tmp_path)) == [awkward + ".moved"]

    def test_relative_names_that_look_like_options(
        self, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        host.write_atomically("-n", b"x")
        host.copy_beside("-n", "--help")
        host.rename("--help", "-v")
        assert host.list(".") == ["-n", "-v"]

    def test_facts(self, host: Host, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"12345")
        path.chmod(0o640)
        os.utime(path, (1, 1_500_000_000.25))
        facts = host.facts(str(path))
        assert facts is not None
        real = path.stat()
        assert (facts.kind, facts.size, facts.mode, facts.inode) == ("regular", 5, 0o640, real.st_ino)
        assert facts.modified == 1_500_000_000.25
        assert facts.changed == pytest.approx(real.st_ctime, abs=1e-5)
        assert (facts.owner, facts.group) == (path.owner(), path.group())

    def test_kinds_without_following_a_link(self, host: Host, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to("nowhere")
        os.mkfifo(tmp_path / "pipe")
        kinds = [facts.kind for name in ("", "link", "pipe") if (facts := host.facts(str(tmp_path / name)))]
        assert kinds == ["directory", "symlink", "other"]

    def test_nothing_there(self, host: Host, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        assert host.facts(str(tmp_path / "missing")) is None
        assert host.facts(str(tmp_path / "file" / "below")) is None
        assert host.list(str(tmp_path / "missing")) == []
        host.remove(str(tmp_path / "missing"))

    def test_names_that_are_hidden_or_not_utf8(self, host: Host, tmp_path: Path) -> None:
        for name in (b".env", b"..odd", b"caf\xe9"):
            (Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))).touch()
        names = host.list(str(tmp_path))
        assert names == ["..odd", ".env", "caf\udce9"]
        assert host.facts(str(tmp_path / names[2])) is not None

    def test_reading_what_cannot_be_read(self, host: Host, tmp_path: Path) -> None:
        with pytest.raises(HostError, match=r"cannot read .*missing.*No such file.*check the path"):
            host.read(str(tmp_path / "missing"))
        with pytest.raises(HostError, match="is a folder"):
            host.read(str(tmp_path))
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(HostError, match="not a regular file"):
            host.read(str(tmp_path / "pipe"))
        (tmp_path / "file").touch()
        with pytest.raises(HostError, match="is not a folder"):
            host.list(str(tmp_path / "file"))
        with pytest.raises(HostError, match="path is empty"):
            host.claim("")

    def test_reading_stops_at_its_limit(self, host: Host, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"x" * 100)
        assert len(host.read(str(tmp_path / "file"), limit=100)) == 100
        with pytest.raises(HostError, match="larger than the 99 bytes"):
            host.read(str(tmp_path / "file"), limit=99)


class TestWriting:
    def test_a_reader_sees_the_old_or_the_new_content(self, host: Host, tmp_path: Path) -> None:
        path = tmp_path / "file"
        contents = {letter * 300_000 for letter in (b"a", b"b")}
        path.write_bytes(b"a" * 300_000)
        seen: set[bytes] = set()
        done = threading.Event()

        def look() -> None:
            while not done.is_set():
                seen.add(path.read_bytes())

        reader = threading.Thread(target=look)
        reader.start()
        try:
            for content in sorted(contents, reverse=True) * 5:
                host.write_atomically(str(path), content)
        finally:
            done.set()
            reader.join(10)
        assert seen <= contents
        assert len(seen) == 2

    def test_the_inode_changes_and_nothing_stays_beside(self, host: Host, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"old")
        kept = path.open("rb")
        host.write_atomically(str(path), b"new", mode=0o644)
        with kept:
            assert kept.read() == b"old"
        assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o644)
        assert host.list(str(tmp_path)) == ["file"]

    def test_large_and_empty_content(self, host: Host, tmp_path: Path) -> None:
        for content in (b"", os.urandom(3 << 20)):
            host.write_atomically(str(tmp_path / "file"), content)
            assert host.read(str(tmp_path / "file")) == content

    def test_content_cut_short_on_its_way_changes_nothing(
        self, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"old\n")
        whole = host._connection.carry_out
        monkeypatch.setattr(
            host._connection,
            "carry_out",
            lambda words, **more: whole(words, **(more | {"stdin": more["stdin"][:-1]})),
        )
        with pytest.raises(HostError, match="did not arrive whole"):
            host.write_atomically(str(path), b"new content")
        with pytest.raises(HostError, match="did not arrive whole"):
            host.append(str(path), "new line")
        assert path.read_bytes() == b"old\n"
        assert host.list(str(tmp_path)) == ["file"]

    def test_a_full_disk_is_said_and_leaves_what_was_there(self, host: Host, small_disk: Path) -> None:
        path = small_disk / "file"
        path.write_bytes(b"old")
        with pytest.raises(HostError, match=r"cannot write .*No space left on device; free some space"):
            host.write_atomically(str(path), b"x" * 100_000)
        with pytest.raises(HostError, match="No space left"):
            host.append(str(path), "x" * 100_000)
        assert path.read_bytes()[:3] == b"old"
        assert host.list(str(small_disk)) == ["file"]
        host.remove(str(path))
        (small_disk / "big").write_bytes(b"x" * 40_000)
        with pytest.raises(HostError, match="No space left"):
            host.copy_beside(str(small_disk / "big"), str(small_disk / "copy"))
        assert host.list(str(small_disk)) == ["big"]

    def test_a_symlink_is_replaced_and_its_destination_left_alone(self, host: Host, tmp_path: Path) -> None:
        (tmp_path / "real").write_bytes(b"real")
        (tmp_path / "link").symlink_to("real")
        assert host.read(str(tmp_path / "link")) == b"real"
        host.write_atomically(str(tmp_path / "link"), b"new")
        assert (tmp_path / "real").read_bytes() == b"real"
        assert not (tmp_path / "link").is_symlink()

    def test_writing_where_it_cannot_be(self, host: Host, tmp_path: Path) -> None:
        (tmp_path / "folder").mkdir()
        with pytest.raises(HostError, match="is a folder"):
            host.write_atomically(str(tmp_path / "folder"), b"x")
        with pytest.raises(HostError, match="No such file or directory; check the path"):
            host.write_atomically(str(tmp_path / "missing" / "file"), b"x")
        assert host.list(str(tmp_path / "folder")) == []

    def test_append_ends_a_torn_line_first(self, host: Host, tmp_path: Path) -> None:
        path = tmp_path / "journal"
        host.append(str(path), r"one \n 'quoted' кириллица")
        with path.open("ab") as torn:
            torn.write(b'{"torn')
        host.append(str(path), "")
        host.append(str(path), "three")
        assert path.read_text() == "one \\n 'quoted' кириллица\n{\"torn\n\nthree\n"
        assert path.stat().st_mode & 0o777 == 0o600
        with pytest.raises(HostError, match="no newline"):
            host.append(str(path), "a\nb")

    @pytest.mark.skipif(os.geteuid() != 0, reason="giving files to other users needs root")
    def test_the_owner_is_kept(self, host: Host, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"old")
        os.chown(path, 12345, 54321)
        host.write_atomically(str(path), b"new")
        host.copy_beside(str(path), str(tmp_path / "copy"))
        for each in (path, tmp_path / "copy"):
            assert (each.stat().st_uid, each.stat().st_gid) == (12345, 54321)


class TestFolders:
    def test_make_folder_with_parents(self, host: Host, tmp_path: Path) -> None:
        folder = tmp_path / "a" / "b c"
        host.make_folder(str(folder))
        host.make_folder(str(folder) + "/")
        assert folder.stat().st_mode & 0o777 == 0o700
        (tmp_path / "file").touch()
        with pytest.raises(HostError, match="cannot make the folder"):
            host.make_folder(str(tmp_path / "file"))

    def test_one_claim_wins(self, tmp_path: Path) -> None:
        lock = str(tmp_path / "lock")
        won: list[bool] = []
        threads = [
            threading.Thread(target=lambda: won.append(Host("local://").claim(lock))) for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert sorted(won) == [False] * 5 + [True]

    def test_a_claim_that_cannot_be_made_is_an_error(self, host: Host, tmp_path: Path) -> None:
        with pytest.raises(HostError, match="No such file"):
            host.claim(str(tmp_path / "missing" / "lock"))

    def test_copy_keeps_mode_and_times_and_never_overwrites(self, host: Host, tmp_path: Path) -> None:
        source, copy = tmp_path / "source", tmp_path / "copy"
        source.write_bytes(b"content")
        source.chmod(0o640)
        os.utime(source, (1, 1_500_000_000))
        host.copy_beside(str(source), str(copy))
        assert (copy.stat().st_mode & 0o777, copy.stat().st_mtime) == (0o640, 1_500_000_000)
        assert copy.stat().st_ino != source.stat().st_ino
        source.write_bytes(b"changed")
        with pytest.raises(HostError, match="File exists"):
            host.copy_beside(str(source), str(copy))
        assert copy.read_bytes() == b"content"
        assert host.list(str(tmp_path)) == ["copy", "source"]

    def test_rename_replaces_but_never_moves_into_a_folder(self, host: Host, tmp_path: Path) -> None:
        for name in ("new", "old"):
            (tmp_path / name).write_text(name)
        host.rename(str(tmp_path / "new"), str(tmp_path / "old"))
        assert (tmp_path / "old").read_text() == "new"
        (tmp_path / "folder").mkdir()
        with pytest.raises(HostError, match="cannot overwrite directory"):
            host.rename(str(tmp_path / "old"), str(tmp_path / "folder"))
        with pytest.raises(HostError, match=r"No such file|not there"):
            host.rename(str(tmp_path / "missing"), str(tmp_path / "old"))
        assert (tmp_path / "old").read_text() == "new"

    def test_rename_across_file_systems_is_refused(
        self, host: Host, tmp_path: Path, small_disk: Path
    ) -> None:
        (tmp_path / "file").write_text("x")
        with pytest.raises(HostError, match="not on the same file system"):
            host.rename(str(tmp_path / "file"), str(small_disk / "file"))
        assert (tmp_path / "file").read_text() == "x"

    def test_remove(self, host: Host, tmp_path: Path) -> None:
        (tmp_path / "full" / "sub").mkdir(parents=True)
        (tmp_path / "dangling").symlink_to("nowhere")
        (tmp_path / "to_folder").symlink_to("full")
        host.remove(str(tmp_path / "dangling"))
        host.remove(str(tmp_path / "to_folder"))
        with pytest.raises(HostError, match="not empty"):
            host.remove(str(tmp_path / "full"))
        host.remove(str(tmp_path / "full" / "sub"))
        assert host.list(str(tmp_path)) == ["full"]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach, which pytest's own temporary folders are not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.skipif(os.geteuid() != 0, reason="changing to another user needs root")
class TestAnotherUser:
    """What a person without root's rights gets, in a process of such a user."""

    def run_as_nobody(self, code: str, folder: Path) -> str:
        script = (
            "import os, sys; from target.host import Host; from target.errors import HostError\n"
            "import testinfra.backend.local\n"
            "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
            "host, folder = Host('local://'), sys.argv[1]\n" + code
        )
        done = subprocess.run(
            [sys.executable, "-c", script, str(folder)],
            check=False,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def test_everything_works_in_a_folder_of_ones_own(self, open_folder: Path) -> None:
        own = open_folder / "own"
        own.mkdir()
        os.chown(own, 65534, 65534)
        code = (
            "host.write_atomically(folder + '/f', b'x'); host.append(folder + '/f', 'y')\n"
            "host.copy_beside(folder + '/f', folder + '/g'); host.rename(folder + '/g', folder + '/h')\n"
            "host.make_folder(folder + '/d')\n"
            "print(host.claim(folder + '/l'), host.list(folder), host.read(folder + '/h'))\n"
        )
        assert self.run_as_nobody(code, own) == "True ['d', 'f', 'h', 'l'] b'x\\ny\\n'\n"

    def test_what_is_not_allowed_is_said_and_changes_nothing(self, open_folder: Path) -> None:
        closed = open_folder / "closed"
        closed.mkdir()
        (closed / "secret").write_text("x")
        (closed / "secret").chmod(0o600)
        closed.chmod(0o755)
        (closed / "inner").mkdir(mode=0o700)
        code = (
            "for work in (host.read, lambda p: host.write_atomically(p, b'y'), lambda p: host.append(p, 'y'),\n"
            "             host.remove, lambda p: host.claim(p + '.lock'), lambda p: host.facts(folder + '/inner/x')):\n"
            "    try: work(folder + '/secret')\n"
            "    except HostError as error: print('Permission denied; connect as a user who may' in str(error))\n"
        )
        assert self.run_as_nobody(code, closed).split() == ["True"] * 6
        assert (closed / "secret").read_text() == "x"

    def test_a_file_whose_owner_would_change_is_not_replaced(self, open_folder: Path) -> None:
        shared = open_folder / "shared"
        shared.mkdir()
        (shared / "file").write_text("x")
        (shared / "file").chmod(0o644)
        os.chown(shared, 65534, 65534)
        code = (
            "for work in (lambda: host.write_atomically(folder + '/file', b'y'),\n"
            "             lambda: host.copy_beside(folder + '/file', folder + '/copy')):\n"
            "    try: work()\n"
            "    except HostError as error: print('Operation not permitted' in str(error))\n"
            "print(*host.list(folder), host.read(folder + '/file'))\n"
        )
        assert self.run_as_nobody(code, shared).split() == ["True", "True", "file", "b'x'"]
