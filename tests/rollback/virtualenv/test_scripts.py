"""What the scripts of a virtualenv point to, also where its folder has an odd name."""

import subprocess
import sys
from pathlib import Path

import pytest

from rollback import venv
from rollback.site import site_of
from target.description import Api, Target
from target.redact import Redactor

ODD = "a folder's name; with $odd signs"


@pytest.fixture
def look(tmp_path):
    site = site_of(Target(name="t", api=Api(url="http://127.0.0.1:1")), "local://", Redactor())
    return lambda path, place: venv.look(site, str(path), str(place))


@pytest.mark.parametrize("name", ["plain", ODD])
@pytest.mark.parametrize(
    "make",
    [
        [str(Path(sys.executable).with_name("uv")), "venv", "--quiet", "--python", sys.executable],
        [sys.executable, "-m", "venv", "--without-pip"],
    ],
    ids=["uv", "venv"],
)
def test_each_way_of_making_one_is_understood(tmp_path, look, name, make):
    path = tmp_path / name / "venv"
    subprocess.run([*make, str(path)], check=True, timeout=60)
    script = path / "bin" / "tool"
    interpreter = str(path / "bin" / "python").replace("'", "'\"'\"'")
    script.write_text(f"#!/bin/sh\n'''exec' '{interpreter}' \"$0\" \"$@\"\n")
    assert look(path, path).elsewhere == ()
    moved = look(path, "/srv/elsewhere/venv").elsewhere
    for one in ("bin/activate", "bin/activate.csh", "bin/activate.fish"):
        assert f"{one} ({path})" in moved
    assert f"bin/tool ({path}/bin/python)" in moved
