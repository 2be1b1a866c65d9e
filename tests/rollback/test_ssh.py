"""Over a real ssh connection: an action is done, and what a lost connection leaves is brought to its end."""

import os
import re

import pytest

from perf.sshd import NoSshd, start
from tests.rollback.place import BAD, GOOD

pytestmark = pytest.mark.drill

OLD = BAD.replace("sick", "ok")


@pytest.fixture
def remote(place, tmp_path_factory):
    """The place, reached over ssh; `server` is what answers there now."""
    try:
        server = start(tmp_path_factory.mktemp("sshd"))
    except NoSshd as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{error}; in CI this is a failure")
    place.reset(env=OLD)
    place.write_target(hosts=[server.url])
    place.server = server
    yield place
    place.server.stop()


def test_done_and_undone(remote):
    code, out = remote.run("environment")
    assert code == 0, out
    assert remote.serves() == "good"
    assert remote.run("environment", "--undo")[0] == 0
    assert remote.serves() == "bad"


def test_the_connection_is_lost_in_the_middle(remote, monkeypatch):
    """Told precisely, and nothing is claimed; once the host is back, the same command goes on."""
    from rollback.actions.environment.envfile import Switch

    real = Switch.verify

    def lose(self):
        found = real(self)
        remote.server.stop()
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Switch, "verify", lose)
        code, out = remote.run("environment")
    out = " ".join(out.split())
    assert code == 3, out
    assert "FAILED and NOT undone" in out
    assert "cannot be reached" in out
    assert "Traceback" not in out
    assert re.search(r"now +python -m rollback --target \S+ environment --resume", out), out
    assert remote.env.read_text() == GOOD
    remote.server = start(remote.server.folder, port=remote.server.port)
    code, out = remote.run("environment", "--resume", "--break-lock", "--yes")
    assert code in (0, 1), out
    remote.wait_for(lambda: remote.serves() == ("good" if code == 0 else "bad"))
    assert remote.env.read_text() == (GOOD if code == 0 else OLD)
