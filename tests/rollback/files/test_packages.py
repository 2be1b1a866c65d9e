"""A release that needs other packages gets a new virtualenv, made beside the live one and switched with the code."""

import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.rollback.trees import BAD, GOOD, install, says, site_packages

pytestmark = pytest.mark.drill


def write_wheel(folder: Path, name: str, version: str) -> None:
    """A wheel with a module and a script, as far as pip needs it."""
    under = name.replace("-", "_")
    info = f"{under}-{version}.dist-info"
    files = {
        f"{under}.py": "def main():\n    print(1)\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{under}-tool = {under}:main\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{under}-{version}-py3-none-any.whl", "w") as wheel:
        for path, content in files.items():
            wheel.writestr(path, content)


@pytest.fixture
def older(trees):
    """The bad release, which brought an older package, runs; the good one's packages are in a wheelhouse."""
    wheels = trees.place.folder / "service-wheels"
    write_wheel(wheels, "openai", "1.2.0")
    write_wheel(wheels, "google-cloud-speech", "2.1")
    code = {**trees.settings["code"], "wheelhouse": str(wheels)}
    trees.place.write_target(code=code, virtualenv={"path": str(trees.venv)})
    trees.write_code(BAD)
    install(trees.venv, "openai", "0.9")
    trees.place.restart()
    return trees


def versions(venv):
    return sorted(path.name for path in site_packages(venv).glob("*.dist-info"))


def test_a_new_virtualenv_is_made_offline_and_switched_with_the_code(older):
    place = older.place
    code, out = place.run("files")
    assert code == 0, out
    assert "a new virtualenv is made, since it needs openai==1.2.0, which is there as 0.9" in says(out)
    assert f"runs from {older.venv}" in says(out)
    assert place.serves() == f"of {GOOD}"
    assert versions(older.venv) == ["google_cloud_speech-2.1.dist-info", "openai-1.2.0.dist-info"]
    tool = older.venv / "bin" / "openai-tool"
    assert tool.read_text().startswith(f"#!{older.venv}/bin/python")
    assert subprocess.run([tool], capture_output=True, check=True, timeout=20).stdout == b"1\n"
    assert ".next." not in (older.venv / "bin" / "activate").read_text()
    kept = next(place.folder.glob("venv.failed.*"))
    assert "openai-0.9.dist-info" in versions(kept)
    before = place.inventory()
    code, out = place.run("files")
    assert (code, place.inventory()) == (0, before), out
    code, out = place.run("files", "--undo")
    assert code == 0, out
    assert "openai-0.9.dist-info" in versions(older.venv)
    assert place.serves() == f"of {BAD}"
    assert not list(place.folder.glob("venv.failed.*"))


def test_packages_that_cannot_be_installed_leave_all_as_it_was(older):
    place = older.place
    (place.folder / "service-wheels" / "openai-1.2.0-py3-none-any.whl").unlink()
    before = place.inventory(older.package), older.requirements.read_bytes()
    pid = (place.folder / "voice.pid").read_text()
    code, out = place.run("files")
    assert code == 1, out
    assert (
        "cannot be installed: Could not find a version that satisfies the requirement openai==1.2.0"
        in says(out)
    )
    assert (place.inventory(older.package), older.requirements.read_bytes()) == before
    assert not list(older.checkout.rglob("*.next.*"))
    assert not list(place.folder.glob("venv.*"))
    assert (place.folder / "voice.pid").read_text() == pid, "the service went on all the while"


def test_killed_while_it_is_made_it_is_made_again(older, monkeypatch):
    from rollback.actions.files.making import MakeVirtualenv

    def half(self, course, /):
        Path(self.swap.next).mkdir()
        os.kill(os.getpid(), 9)

    with monkeypatch.context() as patch:
        patch.setattr(MakeVirtualenv, "apply", half)
        assert os.WIFSIGNALED(older.place.run_and_kill(lambda: None, "files"))
    code, out = older.place.run("files", "--resume")
    assert code == 0, out
    assert older.place.serves() == f"of {GOOD}"
    assert "openai-1.2.0.dist-info" in versions(older.venv)


def test_an_interpreter_that_is_gone_is_refused_with_what_to_do_first(older):
    (older.venv / "bin" / "python").unlink()
    (older.venv / "bin" / "python").symlink_to("/nowhere/python3")
    code, out = older.place.run("files")
    assert code == 5, out
    assert "virtualenv; nothing was changed" in says(out)


def test_an_empty_wheelhouse_is_refused(older):
    for wheel in (older.place.folder / "service-wheels").iterdir():
        wheel.unlink()
    before = older.place.inventory()
    code, out = older.place.run("files")
    assert (code, older.place.inventory()) == (5, before), out
    assert "code.wheelhouse, is empty" in says(out)
