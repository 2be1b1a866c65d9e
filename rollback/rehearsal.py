"""How long an action takes on this host, from the journals of its earlier runs."""

import statistics

import msgspec

from rollback.journal import AnyLine, Begin, Done, End, Resume, Undone
from target.host import Host

_RUNS = 10
# The newest runs of one action, in one command; RS parts them, since a journal's last line may be cut short.
_READ = r"""
[ -d "$1" ] || exit 0
cd -- "$1" || exit 1
for file in *-"$2".jsonl; do [ -e "$file" ] && printf '%s\n' "$file"; done | sort | tail -n "$3" |
  while IFS= read -r file; do printf '\036'; cat -- "$file" || exit 1; done
"""


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True):
    """Median seconds of `runs` earlier runs that went to their end in one go; `steps` the same by a step's name."""

    runs: int = 0
    seconds: float = 0.0
    steps: dict[str, float] = {}

    def says(self) -> str:
        """`4 s, from 3 earlier runs`."""
        if not self.runs:
            return "not rehearsed yet: no earlier run on this host tells how long it takes"
        return f"{roughly(self.seconds)}, from {self.runs} earlier run{'s' if self.runs > 1 else ''}"


def roughly(seconds: float) -> str:
    """`under 1 s`, `4 s`, `2 min`: no more digits than a forecast has."""
    if seconds < 1:
        return "under 1 s"
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def rehearsed(host: Host, folder: str, action: str, *, back: bool) -> Rehearsal:
    """What the journals in `folder` tell of this action forward, or of its undo (`back`). Raises HostError."""
    ran = host.shell(_READ, folder, action, str(_RUNS))
    totals: list[float] = []
    steps: dict[str, list[float]] = {}
    for text in ran.stdout.split("\x1e")[1:]:
        lines = _lines(text)
        if not _whole(lines, back=back):
            continue
        for line in lines:
            if isinstance(line, End):
                totals.append(line.seconds)
            elif isinstance(line, Done | Undone):
                steps.setdefault(line.name, []).append(line.seconds)
    return Rehearsal(
        runs=len(totals),
        seconds=statistics.median(totals) if totals else 0.0,
        steps={name: statistics.median(values) for name, values in steps.items()},
    )


def _whole(lines: list[AnyLine], *, back: bool) -> bool:
    """Whether this was one run from its begin to a good end, in this direction."""
    if not lines or any(isinstance(line, Resume) for line in lines):
        return False
    first, last = lines[0], lines[-1]
    if not isinstance(first, Begin) or not isinstance(last, End):
        return False
    return last.outcome == ("undone" if back else "done") and (first.undoes is not None) == back


def _lines(text: str) -> list[AnyLine]:
    """The lines that can be understood; of a journal with others nothing is learned."""
    decoder = msgspec.json.Decoder(AnyLine)
    try:
        return [decoder.decode(line) for line in text.splitlines() if line]
    except msgspec.DecodeError:
        return []
