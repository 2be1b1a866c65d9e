"""A virtualenv on a host as its own files and its own interpreter tell: whether it would work at a given place."""

import re
import shlex

import msgspec

from rollback.site import Site
from target.errors import HostError
from target.packages import Installed, installed, unmet
from target.record import Record

_LOOK_S = 60.0
_SHOWN = 3

# Sections parted by RS: where $2 really is, when $1 last changed, pyvenv.cfg, and of each script its name and first
# lines. A virtualenv's own scripts name the folder that it lives in.
_LOOK = r"""
venv=$1 place=$2
[ -d "$venv" ] || { echo "$venv is not there" >&2; exit 1; }
cd -- "$venv" || exit 1
readlink -f -- "$place"
printf '\036'
stat -c %.9Z -- pyvenv.cfg 2>/dev/null
printf '\036'
cat pyvenv.cfg 2>/dev/null
for file in bin/*; do
    [ -f "$file" ] && [ ! -L "$file" ] || continue
    case ${file#bin/} in
        activate|activate.csh|activate.fish) printf '\036%s\n' "$file"; grep -a 'VIRTUAL_ENV' -- "$file" ;;
        *)
            { IFS= read -r one; IFS= read -r two; } < "$file"
            case $one in '#!'*) printf '\036%s\n%s\n%s\n' "$file" "$one" "$two" ;; esac ;;
    esac
done
exit 0
"""
_ACTIVATE = re.compile(r"\bVIRTUAL_ENV[= ]+(['\"/].*)")
_EXEC = "'''exec' "
_PYTHON = re.compile(r".*/(python|pypy)[0-9.]*$")


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
    ran = site.host.shell(_LOOK, path, place, timeout_s=_LOOK_S)
    if not ran.ok:
        raise HostError(f"{site.host.url}: {ran.stderr.strip() or f'{path} cannot be looked at'}")
    real, changed, config, *scripts = ran.stdout.split("\x1e")
    homes = {place, real.strip()}
    elsewhere = [told for script in scripts if (told := _elsewhere(script, homes))]
    trouble, found = "", None
    if "home" not in config:
        trouble = f"{path}/pyvenv.cfg is not there, or names no home"
    else:
        try:
            found = installed(site.host, f"{path}/bin/python")
        except HostError as error:
            trouble = str(error)
    return Venv(path, float(changed or 0), tuple(elsewhere), found, trouble)


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


def _elsewhere(script: str, homes: set[str]) -> str:
    """`bin/uvicorn (/other/bin/python)` where a script names what is not in the virtualenv."""
    name, _, rest = script.partition("\n")
    if name.startswith("bin/activate"):
        named = [_first_word(words) for words in _ACTIVATE.findall(rest)]
        wrong = [path for path in named if path.startswith("/") and path not in homes]
        return f"{name} ({wrong[0]})" if wrong else ""
    first, _, second = rest.partition("\n")
    interpreter = first[2:].strip()
    if interpreter == "/bin/sh" and second.startswith(_EXEC):
        interpreter = _first_word(second.removeprefix(_EXEC))
    if not _PYTHON.match(interpreter):
        return ""
    return "" if any(interpreter.startswith(f"{home}/bin/") for home in homes) else f"{name} ({interpreter})"


def _first_word(words: str) -> str:
    """The first word of a shell's line, without its quotes; the line itself where they do not match."""
    lexer = shlex.shlex(words, posix=True, punctuation_chars=";")
    lexer.whitespace_split = True
    try:
        return next(lexer, "")
    except ValueError:
        return words
