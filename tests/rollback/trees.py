"""The tiny service's code and virtualenv, beside its `.env`: what the actions for folders work on."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from rollback.site import Site, site_of
from rollback.snapshots.code import CodePart
from target import capture, load
from target.host import Host
from target.record import Record, Records
from target.redact import Redactor
from tests.rollback.place import Place

ENV = "NAME=tiny\nMODE=ok\nDB_PASSWORD=swordfish-one\nVERSION=2.3.1\nCODE=service\n"
GOOD, BAD = "2.3.1", "2.4.0"
PACKAGES = {"openai": "1.2.0", "google-cloud-speech": "2.1"}


class Trees:
    """Folders of a place. Made once, then put back as they were for each run: see `reset`."""

    def __init__(self, place: Place, templates: Path) -> None:
        self.place = place
        self.templates = templates
        self.checkout = place.folder / "service"
        self.package = self.checkout / "app" / "services" / "voice_v2"
        self.requirements = self.checkout / "requirements.txt"
        self.backups = place.folder / "backup"
        self.venv = place.folder / "venv"
        self.backup = place.folder / "venv_backup"
        self.settings = {
            "code": {"checkout": str(self.checkout), "backups": f"{self.backups}/voice_v2_%Y%m%d"},
            "virtualenv": {"path": str(self.venv), "backup": str(self.backup)},
        }

    @property
    def own(self) -> list[Path]:
        """Everything of it that is in the place now."""
        names = ("service", "backup", "venv")
        return [path for path in self.place.folder.iterdir() if path.name.startswith(names)]

    def make(self) -> None:
        """Code and packages of the good release, with a record of it; kept as they are for every `reset`."""
        self._clear()
        self.write_code(GOOD)
        command = [sys.executable, "-m", "venv", "--without-pip", str(self.venv)]
        subprocess.run(command, check=True, timeout=60)
        for name, version in PACKAGES.items():
            install(self.venv, name, version)
        script = self.venv / "bin" / "tool"
        script.write_text(f"#!{self.venv}/bin/python\nprint(1)\n")
        script.chmod(0o755)
        shutil.copytree(self.venv, self.backup, symlinks=True)
        shutil.rmtree(self.place.state, ignore_errors=True)
        self.place.env.write_text(ENV)
        self.record()
        self.take_code("20261120T091300Z")
        for path in [*self.own, self.place.state]:
            shutil.copytree(path, self.templates / path.name, symlinks=True)

    def reset(self) -> None:
        """The good release in place and on record, with a virtualenv's backup; the service is yet to be restarted."""
        self._clear()
        self.place.write_target(**self.settings)
        self.place.env.write_text(ENV)
        shutil.rmtree(self.place.state, ignore_errors=True)
        for template in self.templates.iterdir():
            shutil.copytree(template, self.place.folder / template.name, symlinks=True)

    def record(self) -> Record:
        """Record what is in place as known to be good."""
        self.place.write_target(**self.settings)
        target = load.load(self.place.target, environ=os.environ)
        host = Host("local://")
        python, packages = capture.packages(target, host)
        record = Record(
            name=GOOD, version=GOOD, revision=None, taken_at="2026-11-20T09:12:00Z", taken_by="test", state="healthy",
            packages=packages, python=python, code=capture.code(target, host),
        )  # fmt: skip
        Records(host, str(self.place.state)).save(record)
        return record

    def site(self) -> Site:
        """The site of the place."""
        return site_of(load.load(self.place.target, environ=os.environ), "local://", Redactor())

    def take_code(self, stamp: str) -> Path:
        """Make a dated backup of the code in place; its folder."""
        before = set(self.backups.glob("*"))
        CodePart(self.site()).take(stamp, lambda _: None)
        return (set(self.backups.glob("*")) - before).pop()

    def write_code(self, version: str) -> None:
        """A release of the package: two modules, a link, a script, and its requirements."""
        self.package.mkdir(parents=True, exist_ok=True)
        (self.package / "__init__.py").write_text(f'from .names import NAME\n\n__version__ = "{version}"\n')
        (self.package / "names.py").write_text(f'NAME = "of {version}"\n')
        (self.package / "tool.sh").write_text("#!/bin/sh\n")
        (self.package / "tool.sh").chmod(0o750)
        link = self.package / "default.py"
        if not link.is_symlink():
            link.symlink_to("names.py")
        self.requirements.write_text("".join(f"{name}=={number}\n" for name, number in PACKAGES.items()))

    def _clear(self) -> None:
        for path in self.own:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def site_packages(venv: Path) -> Path:
    """Where its packages are."""
    return venv / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"


def install(venv: Path, name: str, version: str, *requires: str) -> None:
    """Put a package there, as far as its metadata goes, in place of other versions of it."""
    for old in site_packages(venv).glob(f"{name.replace('-', '_')}-*.dist-info"):
        shutil.rmtree(old)
    folder = site_packages(venv) / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir()
    lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    (folder / "METADATA").write_text("\n".join(lines) + "\n")


def says(out: str) -> str:
    """What was printed, as one line: without the column of times, at which a long line is broken."""
    return " ".join(re.sub(r" +[0-9.]+ s$", "", out, flags=re.MULTILINE).split())
