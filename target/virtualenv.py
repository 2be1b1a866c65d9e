"""A virtualenv on a host as its own files tell: whether it is whole, and its scripts would work at a place."""

import re
import shlex

import msgspec

from target.errors import HostError
from target.host import Host

_LOOK_S = 60.0

# Sections parted by RS: where $2 really is, when $1 last changed, pyvenv.cfg, whether its interpreter is there, and of
# each script its name and first lines. A virtualenv's own scripts name the folder that it lives in.
_LOOK = r"""
venv=$1 place=$2
[ -d "$venv" ] || { echo "$venv is not there" >&2; exit 1; }
cd -- "$venv" || exit 1
readlink -f -- "$place"
printf '\036'
stat -c %.9Z -- pyvenv.cfg 2>/dev/null
printf '\036'
cat pyvenv.cfg 2>/dev/null
printf '\036'
[ -x bin/python ] && echo yes
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


class Files(msgspec.Struct, frozen=True):
    """`changed` is when it was made, by the host's clock; `configured` whether pyvenv.cfg says what it was made from;
    `runnable` whether its interpreter is there.

    `elsewhere` are its scripts that point to another folder than the one where it lives, with what they name.
    """

    changed: float
    configured: bool
    runnable: bool
    elsewhere: tuple[str, ...]

    def problems(self, path: str) -> list[str]:
        """What is wrong with it, which lies at `path`, in words."""
        told = [] if self.configured else [f"{path}/pyvenv.cfg is not there, or names no home"]
        told += [] if self.runnable else [f"{path}/bin/python leads to no program"]
        return told + [f"{script} points elsewhere" for script in self.elsewhere]


def look(host: Host, path: str, place: str) -> Files:
    """A virtualenv that is to live at `place`. Raises HostError when nothing is there."""
    ran = host.shell(_LOOK, path, place, timeout_s=_LOOK_S)
    if not ran.ok:
        raise HostError(f"{host.url}: {ran.stderr.strip() or f'{path} cannot be looked at'}")
    real, changed, config, runnable, *scripts = ran.stdout.split("\x1e")
    homes = {place, real.strip()}
    elsewhere = tuple(told for script in scripts if (told := _elsewhere(script, homes)))
    return Files(float(changed or 0), "home" in config, bool(runnable.strip()), elsewhere)


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
