"""Whatever fails in the middle of an action: the old state or the new one, evidence kept, one clear error."""

import contextlib
import os
import subprocess

import pytest

from rollback.onefile import SetAside
from tests.rollback.faults import strike_everywhere
from tests.rollback.place import BAD, GOOD

pytestmark = pytest.mark.drill

OLD = BAD.replace("sick", "ok")


@pytest.mark.parametrize(
    ("kind", "for_good"),
    [
        ("connection lost", True),
        ("connection lost", False),
        ("answer lost", False),
        ("disk full", True),
        ("permission denied", False),
    ],
)
def test_at_every_call_to_the_host(quick, kind, for_good):
    def is_old():
        quick.wait_for(lambda: quick.serves() == "bad")
        assert quick.env.read_text() == OLD

    def is_new():
        assert quick.serves() == "good"
        assert quick.env.read_text() == GOOD

    strike_everywhere(
        quick,
        ["environment"],
        kind,
        for_good=for_good,
        reset=lambda: quick.reset(env=OLD),
        is_new=is_new,
        is_old=is_old,
    )


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small disk")
def test_a_real_disk_that_fills_up_in_the_middle(place, tmp_path, monkeypatch):
    """The environment file and the journal are on it: the old state stays, and with room again the command does it."""
    place.reset(env=OLD)
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(disk)], check=True, timeout=20)
    try:
        (disk / ".env").write_text(OLD)
        place.env.unlink()
        place.env.symlink_to(disk / ".env")
        place.write_target(state_dir=str(disk / "state"))
        with monkeypatch.context() as patch:
            real = SetAside.verify
            patch.setattr(SetAside, "verify", lambda step: (real(step), fill(disk / "filler"))[0])
            code, out = place.run("environment")
        out = " ".join(out.split())
        assert code == 1, out
        assert "No space left on device; free some space there" in out
        assert ((disk / ".env").read_text(), place.serves()) == (OLD, "bad")
        assert len(list(disk.glob(".env.failed.*"))) == 1, "what was kept by then stays"
        (disk / "filler").unlink()
        code, out = place.run("environment")
        assert code == 0, out
        assert ((disk / ".env").read_text(), place.serves()) == (GOOD, "good")
    finally:
        subprocess.run(["umount", str(disk)], check=True, timeout=20)


def fill(path):
    """Leave no room on the disk."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
