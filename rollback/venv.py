"""A virtualenv on a host as its own files and its own interpreter tell: whether it would work at a given place."""

import msgspec

from rollback.site import Site
from target import virtualenv
from target.errors import HostError
from target.packages import Installed, installed, unmet
from target.record import Record

_SHOWN = 3


class Venv(msgspec.Struct, frozen=True):
    """`elsewhere` are its scripts that point to another folder than the one where it will live, with what they name.

    `changed` is when it was made, by the host's clock. `trouble` says why its interpreter cannot be asked, and is empty
    otherwise.
    """

    path: str
    changed: float
    elsewhere: tuple[str, ...]
    found: Installed | None
    trouble: str = ""


def look(site: Site, path: str, place: str) -> Venv:
    """A virtualenv that is to live at `place`. Raises HostError when nothing is there."""
    files = virtualenv.look(site.host, path, place)
    trouble, found = "", None
    if not files.configured:
        trouble = f"{path}/pyvenv.cfg is not there, or names no home"
    else:
        try:
            found = installed(site.host, f"{path}/bin/python")
        except HostError as error:
            trouble = str(error)
    return Venv(path, files.changed, files.elsewhere, found, trouble)


def problems(venv: Venv, record: Record | None) -> list[str]:
    """What keeps it from being used, the gravest first; `record` is the one whose packages it has to have."""
    if venv.found is None:
        return [venv.trouble]
    told = []
    if record is not None and record.python is not None and venv.found.python != record.python:
        told.append(f"its Python is {venv.found.python}, that of {record.name} is {record.python}")
    if record is not None and record.packages is not None:
        wrong = package_differences(venv.found.packages, record.packages)
        if wrong:
            told.append(f"its packages are not those of {record.name}: {some(wrong)}")
    if venv.elsewhere:
        told.append(f"its scripts point elsewhere: {some(list(venv.elsewhere))}")
    broken = unmet(venv.found)
    if broken:
        told.append(f"its packages do not fit together: {some(broken)}")
    return told


def package_differences(found: dict[str, str], wanted: dict[str, str]) -> list[str]:
    """Packages that are not as wanted, in words."""
    told = []
    for name in sorted(wanted.keys() | found.keys()):
        has, wants = found.get(name), wanted.get(name)
        if has != wants:
            told.append(
                f"{name} is missing"
                if has is None
                else f"{name} {has} is too much"
                if wants is None
                else f"{name} {has}, not {wants}"
            )
    return told


def some(words: list[str]) -> str:
    """The first few, and how many more."""
    more = len(words) - _SHOWN
    return ", ".join(words[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
