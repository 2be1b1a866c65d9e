"""The step that makes a new virtualenv beside the live one, with what the restored requirements ask for."""

import shlex

from rollback import folder, venv
from rollback.actions.files.plan import Making
from rollback.errors import Refused, StepFailed
from rollback.site import Site
from rollback.step import Course, Finding, Step
from rollback.swap import Swap, look
from target.errors import HostError
from target.packages import asked_for
from target.record import Record

TOOLS = ("pip", "setuptools", "wheel")
_LAST_LINES = 6

# Made beside, and then told where it will live: scripts name the folder of their virtualenv.
_MAKE = r"""
next=$1 live=$2 base=$3 requirements=$4 wheelhouse=$5 hashes=$6 constraints=$7 tools=$8 unwanted=$9
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV PIP_REQUIRE_VIRTUALENV PIP_TARGET PIP_PREFIX PIP_USER PIP_REQUIRE_HASHES
pip() { "$next/bin/python" -I -m pip --disable-pip-version-check --no-input "$@" >&2; }
set -- ${wheelhouse:+--no-index --find-links "$wheelhouse"}
rm -rf -- "$next" && "$base" -I -m venv --prompt "${live##*/}" -- "$next" >&2 || exit 1
if [ -n "$constraints" ]; then
    printf '%s\n' "$constraints" > "$next/constraints.txt" || exit 1
fi
pip install "$@" ${hashes:+--require-hashes} ${constraints:+-c "$next/constraints.txt"} -r "$requirements" || exit 1
[ -z "$tools" ] || pip install "$@" $tools || exit 1
[ -z "$unwanted" ] || pip uninstall -q -y $unwanted || exit 1
rm -f -- "$next/constraints.txt"
"$next/bin/python" -I -B -c '
import pathlib, sys
old, new = (word.encode() for word in sys.argv[1:])
venv = pathlib.Path(sys.argv[1])
for path in [venv / "pyvenv.cfg", *(venv / "bin").iterdir()]:
    if path.is_file() and not path.is_symlink():
        content = path.read_bytes()
        if old in content:
            path.write_bytes(content.replace(old, new))
' "$next" "$live" || exit 1
if [ -e "$live" ] && [ "$(stat -c %u:%g -- "$live")" != "$(stat -c %u:%g -- "$next")" ]; then
    chown -hR --reference="$live" -- "$next" || exit 1
fi
sync -f -- "$next"
"""


class MakeVirtualenv(Step):
    """Makes it with its own pip; what fails changes nothing that is live. `record` is what it has to come to."""

    name = "new virtualenv"
    timeout_s = 1500.0

    def __init__(self, site: Site, making: Making, swap: Swap, record: Record | None) -> None:
        self.site = site
        self.making = making
        self.swap = swap
        self.record = record

    @property
    def commands(self) -> tuple[str, ...]:
        making = self.making
        offline = ["--no-index", "--find-links", making.wheelhouse] if making.wheelhouse else []
        hashes = ["--require-hashes"] if making.hashes else []
        python = f"{self.swap.next}/bin/python"
        return (
            shlex.join([making.base, "-m", "venv", self.swap.next]),
            shlex.join([python, "-m", "pip", "install", *offline, *hashes, "-r", making.requirements]),
        )

    @property
    def undoes(self) -> str:
        return f"remove {self.swap.next}"

    def preflight(self) -> list[Finding]:
        making, host = self.making, self.site.host
        ran = host.run([making.base, "-I", "-c", "import ensurepip, venv"])
        if not ran.ok:
            raise Refused(
                f"{making.base} on {host.url} cannot make a virtualenv ({folder.last_line(ran.stderr)}): install what "
                "it lacks (python3-venv), or go back with `python -m rollback virtualenv`; nothing was changed"
            )
        if making.wheelhouse is not None and not host.list(making.wheelhouse):
            raise Refused(
                f"{making.wheelhouse} on {host.url}, code.wheelhouse, is empty or not there; nothing was changed"
            )
        return [
            folder.check_room(
                self.site, self.swap.live, self.swap.live, self.swap.live.rpartition("/")[0] or "/"
            )
        ]

    def apply(self, course: Course, /) -> None:
        if course.again and look(self.site, [self.swap])[0].begun:
            return
        making = self.making
        names = {tool.partition("==")[0] for tool in making.tools}
        course.report(f"pip install -r {making.requirements}")
        ran = self.site.host.shell(
            _MAKE,
            self.swap.next,
            self.swap.live,
            making.base,
            making.requirements,
            making.wheelhouse or "",
            "yes" if making.hashes else "",
            "\n".join(making.constraints),
            " ".join(making.tools),
            " ".join(sorted({"pip", "setuptools"} - names)),
            timeout_s=max(1.0, course.left()),
        )
        if not ran.ok:
            lines = [self.site.redactor.text(line) for line in ran.stderr.strip().splitlines()]
            why = next(
                (line for line in lines if line.startswith("ERROR: ")),
                lines[-1] if lines else "no reason given",
            )
            raise StepFailed(
                f"what {making.requirements} asks for cannot be installed: {why.removeprefix('ERROR: ')}",
                tuple(lines[-_LAST_LINES:]),
            )

    def verify(self) -> str:
        if look(self.site, [self.swap])[0].begun:
            return "whole, and the switch has begun"
        try:
            found = venv.look(self.site, self.swap.next, self.swap.live)
            requirements = self.site.host.read(self.making.requirements).decode("utf-8", "replace")
        except HostError as error:
            raise StepFailed(str(error)) from error
        wrong = venv.problems(found, self.record)
        if not wrong and found.found is not None:
            wrong = asked_for(found.found, requirements)[0]
        if wrong or found.found is None:
            raise StepFailed(
                f"{self.swap.next} is not what the release needs: {wrong[0]}; its backup would be: "
                "python -m rollback virtualenv"
            )
        return f"{len(found.found.packages)} packages, made for {self.swap.live}"

    def undo(self, _: Course, /) -> str:
        folder.remove(self.site, self.swap.next)
        return "what was made is removed"
