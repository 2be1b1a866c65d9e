"""What Python has compiled of a source is told from the source, wherever Python would run it."""

import os
import py_compile
import sys
from pathlib import Path

import pytest

from target.bytecode import stale
from target.errors import HostError
from target.host import Host

UNCHECKED = py_compile.PycInvalidationMode.UNCHECKED_HASH
CHECKED = py_compile.PycInvalidationMode.CHECKED_HASH


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "package" / "inner"
    folder.mkdir(parents=True)
    (folder / "one.py").write_text("def says():\n    return 'good'\n")
    (folder / "never_imported.py").write_text("x = 1\n")
    return folder


def look(package):
    return stale(Host("local://"), sys.executable, str(package.parent))


def edit(path, old, new, *, keep_time):
    was = path.stat()
    path.write_text(path.read_text().replace(old, new))
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns + (0 if keep_time else 10**9)))


def test_what_was_compiled_of_the_source_is_not_stale(package):
    for mode in (None, UNCHECKED, CHECKED):
        py_compile.compile(str(package / "one.py"), doraise=True, invalidation_mode=mode)
        assert look(package) == []


def test_a_source_of_another_time_is_compiled_anew(package):
    py_compile.compile(str(package / "one.py"), doraise=True)
    edit(package / "one.py", "good", "else", keep_time=False)
    assert look(package) == []


def test_a_source_of_the_same_time_and_size_is_not(package):
    py_compile.compile(str(package / "one.py"), doraise=True)
    edit(package / "one.py", "good", "else", keep_time=True)
    assert look(package) == [str(package / "one.py")]


def test_lines_that_have_moved_and_say_the_same_are_not_told(package):
    (package / "one.py").write_text(
        "LIMIT = float('nan'), 1e400 - 1e400, {'a', 'b'}\ndef says():\n    return 'good'\n"
    )
    py_compile.compile(str(package / "one.py"), doraise=True, invalidation_mode=UNCHECKED)
    assert look(package) == []
    edit(package / "one.py", "def says", "\n\ndef says", keep_time=False)
    assert look(package) == []
    edit(package / "one.py", "'good'", "'else'", keep_time=False)
    assert look(package) == [str(package / "one.py")]


def test_what_nobody_looks_at_the_source_for_is_run_whatever_it_says(package):
    for mode, told in ((UNCHECKED, [str(package / "one.py")]), (CHECKED, [])):
        py_compile.compile(str(package / "one.py"), doraise=True, invalidation_mode=mode)
        edit(package / "one.py", "return '", "return 'very ", keep_time=False)
        assert look(package) == told


@pytest.mark.parametrize("wrong", ["def says(:\n", None])
def test_a_broken_source_behind_what_was_compiled_of_another_is_stale(package, wrong):
    compiled = py_compile.compile(str(package / "one.py"), doraise=True, invalidation_mode=UNCHECKED)
    if wrong is None:
        content = Path(compiled).read_bytes()
        Path(compiled).write_bytes(content[: len(content) // 2])
    else:
        (package / "one.py").write_text(wrong)
    assert look(package) == [str(package / "one.py")]


def test_what_is_stale_can_be_removed_and_nothing_else(package):
    for name in ("one.py", "never_imported.py"):
        py_compile.compile(str(package / name), doraise=True)
    edit(package / "one.py", "good", "else", keep_time=True)
    assert stale(Host("local://"), sys.executable, str(package.parent), forget=True) == [
        str(package / "one.py")
    ]
    assert look(package) == []
    assert [path.name.split(".")[0] for path in package.glob("__pycache__/*")] == ["never_imported"]


def test_an_interpreter_that_cannot_tell_says_so(package):
    with pytest.raises(HostError, match="cannot tell what it has compiled"):
        stale(Host("local://"), "/nowhere/python", str(package))
