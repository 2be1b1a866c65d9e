"""Capturing facts: from real folders, checkouts and interpreters."""

import hashlib
import json
import shutil
import sys
from pathlib import Path

import msgspec
import pytest

from target import capture
from target.description import Api, Code, Target, Virtualenv
from target.errors import HostError, TargetError
from target.host import Host
from target.record import Records

HOST = Host("local://")


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(HOST, str(tmp_path / "state"))


def test_code_holds_every_file_but_caches(deployment: Target) -> None:
    code = capture.code(deployment, HOST)
    package = "app/services/voice_v2"
    assert list(code.files) == [
        f"{package}/__init__.py",
        f"{package}/core/config.py",
        f"{package}/latest",
        f"{package}/run me.sh",
        f"{package}/голос.txt",
        "requirements.txt",
    ]
    assert code.files["requirements.txt"] == hashlib.sha256(b"openai==1.2.3\n").hexdigest()
    assert code.files[f"{package}/latest"] == hashlib.sha256(b"core").hexdigest()
    assert code.revision is None


def test_code_does_not_change_with_copies_umask_or_caches(deployment: Target, checkout: Path) -> None:
    before = capture.code(deployment, HOST)
    copy = checkout.with_name("copy")
    shutil.copytree(checkout, copy, symlinks=True)
    (copy / "app/services/voice_v2/core/config.py").chmod(0o600)
    (copy / "app/services/voice_v2/__pycache__").mkdir()
    (copy / "app/services/voice_v2/__pycache__/x.pyc").write_text("x")
    assert capture.code(msgspec.structs.replace(deployment, code=Code(checkout=str(copy))), HOST) == before


@pytest.mark.parametrize("change", ["content", "mode", "name", "link", "requirements", "gone"])
def test_every_kind_of_change_changes_the_tree(deployment: Target, checkout: Path, change: str) -> None:
    before = capture.code(deployment, HOST)
    package = checkout / "app/services/voice_v2"
    match change:
        case "content":
            (package / "core/config.py").write_text("x = 2\n")
        case "mode":
            (package / "core/config.py").chmod(0o755)
        case "name":
            (package / "core/config.py").rename(package / "core/configuration.py")
        case "link":
            (package / "latest").unlink()
            (package / "latest").symlink_to("elsewhere")
        case "requirements":
            (checkout / "requirements.txt").unlink()
        case "gone":
            (package / "__init__.py").unlink()
    after = capture.code(deployment, HOST)
    assert after.tree_sha256 != before.tree_sha256
    assert (after.files == before.files) == (change == "mode")


def test_code_of_a_checkout_has_its_head(deployment: Target, head: str) -> None:
    assert capture.code(deployment, HOST).revision == head


def test_code_that_is_not_there_is_told(deployment: Target, checkout: Path) -> None:
    absent = msgspec.structs.replace(deployment, code=Code(checkout=str(checkout), package="app/absent"))
    with pytest.raises(HostError, match="no folder app/absent there; is `code` in the target right"):
        capture.code(absent, HOST)
    nowhere = msgspec.structs.replace(deployment, code=Code(checkout="/no/where"))
    with pytest.raises(HostError, match="the code in /no/where on local:// cannot be read"):
        capture.code(nowhere, HOST)


def test_packages_come_from_the_virtualenvs_own_interpreter(deployment: Target) -> None:
    python, packages = capture.packages(deployment, HOST)
    assert python == sys.version.split()[0]
    assert packages["msgspec"] == msgspec.__version__
    assert "pytest-asyncio" in packages


def virtualenv(folder: Path) -> Path:
    """The least that an interpreter takes for a virtualenv; its site-packages."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/python").symlink_to(Path(sys.executable).resolve())
    (folder / "pyvenv.cfg").write_text(
        f"home = {Path(sys.executable).resolve().parent}\ninclude-system-site-packages = false\n"
    )
    packages = folder / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    packages.mkdir(parents=True)
    return packages


def install(packages: Path, folder: str, name: str, version: str, direct_url: object = None) -> None:
    (packages / folder).mkdir()
    (packages / folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    if direct_url is not None:
        (packages / folder / "direct_url.json").write_text(json.dumps(direct_url))


def test_editable_doubled_and_broken_packages_are_told(deployment: Target, tmp_path: Path) -> None:
    packages = virtualenv(tmp_path / "venv")
    install(packages, "My_Tool-1.0.dist-info", "My_Tool", "1.0")
    install(packages, "my_tool-1.1.dist-info", "my.tool", "1.1")
    editable = {"url": "file:///src", "dir_info": {"editable": True}}
    install(packages, "here-0.1.dist-info", "here", "0.1", editable)
    (packages / "~penai-1.0.dist-info").mkdir()
    found = msgspec.structs.replace(deployment, virtualenv=Virtualenv(path=str(tmp_path / "venv")))
    assert capture.packages(found, HOST)[1] == {
        "broken: ~penai-1.0.dist-info": "no version",
        "here": "0.1 (editable)",
        "my-tool": "1.0 and 1.1",
    }


def test_a_virtualenv_that_does_not_work_is_told(deployment: Target, tmp_path: Path) -> None:
    absent = msgspec.structs.replace(deployment, virtualenv=Virtualenv(path=str(tmp_path / "absent")))
    with pytest.raises(HostError, match=r"absent/bin/python on local:// cannot list its packages") as caught:
        capture.packages(absent, HOST)
    assert "\n" not in str(caught.value)


def test_the_environment_is_kept_as_keyed_hashes_alone(
    deployment: Target, records: Records, tmp_path: Path
) -> None:
    kept = capture.environment(deployment, HOST, records)
    content = (tmp_path / ".env").read_bytes()
    assert kept.file_hmac == records.keyed_hash(content)
    assert kept.values == {
        "OPENAI_API_KEY": records.keyed_hash(b"sk-canary"),
        "S3_BUCKET": records.keyed_hash(b"voice-files"),
    }
    assert "sk-canary" not in repr(kept)
    assert kept.values["S3_BUCKET"] != hashlib.sha256(b"voice-files").hexdigest()


def test_what_the_target_does_not_name_is_told(records: Records) -> None:
    bare = Target(name="bare", api=Api(url="http://127.0.0.1:9"))
    for take in (
        lambda: capture.environment(bare, HOST, records),
        lambda: capture.packages(bare, HOST),
        lambda: capture.code(bare, HOST),
    ):
        with pytest.raises(TargetError, match="the target names no"):
            take()
