"""The traffic runs in a process of its own, and never in ours."""

import subprocess
import sys

from drills.traffic.traffic import order


def test_nothing_of_the_drills_imports_locust():
    code = "import sys, drills.run, drills.traffic.traffic; print({'locust', 'gevent'} & sys.modules.keys())"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout == "set()\n"


def test_both_languages_are_spoken_and_transcribed(tmp_path):
    told = order("http://127.0.0.1:1", "a-token", tmp_path / "ledger.jsonl", 3.0)
    assert (
        {item.language for item in told.texts} == {item.language for item in told.recordings} == {"ru", "en"}
    )
    assert "a-token" not in repr(told)
