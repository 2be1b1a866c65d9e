"""Whether what is installed fits together, and fits a list of requirements, told without pip."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target.errors import HostError
from target.host import Host
from target.packages import Installed, asked_for, installed, unmet

MARKS = {"sys_platform": "linux", "python_version": "3.11", "python_full_version": "3.11.7"}


def found(packages, requires=None):
    return Installed("3.11.7", packages, requires or {}, MARKS, "/usr/bin/python3")


def test_an_interpreter_tells_its_packages_and_what_they_need():
    told = installed(Host("local://"), sys.executable)
    assert told.python == sys.version.split()[0]
    assert any(line.startswith("pluggy") for line in told.requires["pytest"])
    assert told.marks["sys_platform"] == sys.platform
    assert unmet(told) == []


def test_an_interpreter_that_is_not_there_is_one_clear_error():
    with pytest.raises(HostError, match=r"/nowhere/python on local:// cannot list its packages"):
        installed(Host("local://"), "/nowhere/python")


@pytest.mark.parametrize(
    ("requirement", "says"),
    [
        ("httpx>=0.23", []),
        ("httpx>=0.29", ["openai needs httpx>=0.29, which is there as 0.28.1"]),
        ("Anyio_X", ["openai needs Anyio_X, which is not there"]),
        ('colorama; sys_platform == "win32"', []),
        ('pandas; extra == "data"', []),
        ("twice<2", ["openai needs twice<2, which is there as 1.0 and 2.0"]),
        ("here>=0.1", []),
    ],
)
def test_what_does_not_fit(requirement, says):
    packages = {"openai": "1.2", "httpx": "0.28.1", "twice": "1.0 and 2.0", "here": "0.1 (editable)"}
    assert unmet(found(packages, {"openai": [requirement]})) == says


def test_a_list_of_requirements():
    text = (
        "# for voice-v2\n"
        "--index-url https://index.invalid/simple\n"
        "openai==1.2 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n"
        "httpx>=0.29  # the client\n"
        'colorama==1 ; sys_platform == "win32"\n'
        "missing==3\n"
        "-r other.txt\n"
        "./here\n"
    )
    lacking, unknown = asked_for(found({"openai": "1.2", "httpx": "0.28"}), text)
    assert lacking == ["httpx>=0.29, which is there as 0.28", "missing==3, which is not there"]
    assert unknown == ["-r other.txt", "./here"]


@given(st.text())
def test_no_list_of_requirements_makes_it_fall(text):
    lacking, unknown = asked_for(found({}), text)
    assert all(isinstance(line, str) for line in [*lacking, *unknown])
