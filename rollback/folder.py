"""Folders on a host: copied whole with modes, owners, links and times, compared by content, and given room."""

from concurrent.futures import ThreadPoolExecutor

from rollback.errors import Refused, StepFailed
from rollback.site import Site
from rollback.step import Finding

_LOOK_S = 60.0
_SPARE_KB = 10 << 10

# $1 from, $2 to, $3 what its owner is to be that of, $4 `code` to leave out what Python has compiled. What an earlier
# try left is removed first. Folders get their times back, which removing something in them has changed.
_COPY = """
from=$1 to=$2 like=$3
fail() { printf '%s\\n' "$1" >&2; exit 1; }
[ -e "$from" ] || [ -L "$from" ] || fail "$from: No such file or directory"
[ -e "$like" ] || like=$from
rm -rf -- "$to" && mkdir -p -- "${to%/*}" && cp -a -- "$from" "$to" || exit 1
if [ "$4" = code ] && [ -d "$to" ]; then
    find "$to" \\( -name __pycache__ -o -name '*.pyc' \\) -prune -exec rm -rf -- {} + || exit 1
    (cd -- "$from" && find . -name __pycache__ -prune -o -type d \\
        -exec sh -c 'to=$1; shift; for each; do touch -r "$each" "$to/$each" || exit 1; done' sh "$to" {} +) || exit 1
fi
if [ "$(stat -c %u:%g -- "$like")" != "$(stat -c %u:%g -- "$to")" ]; then
    chown -hR --reference="$like" -- "$to" || exit 1
fi
sync -f -- "${to%/*}"
"""

# A hash over every path, mode, link and content of a tree; $2 `code` leaves out what Python has compiled.
_HASH = """
cd -- "$1" || exit 1
export LC_ALL=C
skip=
[ "$2" = code ] && skip=__pycache__
{
    find . -name "$skip" -prune -o -type f -exec sha256sum -- {} + || echo "cannot be read $$"
    find . -name "$skip" -prune -o -exec stat -c '%a %N' -- {} + || echo "cannot be read $$"
} | sort | sha256sum | cut -c 1-64
"""

# Kilobytes free in the folder and taken by the source; whether it can be written to, and what renaming needs.
_ROOM = """
folder=$1 source=$2 live=$3
df -Pk -- "$folder" | tail -n 1 | tr -s ' ' | cut -d ' ' -f 4
du -sk -- "$source" | cut -f 1
[ -w "$folder" ] && [ -x "$folder" ] && echo yes || echo no
if [ -e "$live" ]; then stat -c %U -- "$live"; mountpoint -q "$live" && echo mount || echo folder; else echo; echo; fi
id -un 2>/dev/null || id -u
"""


def copy(site: Site, source: str, to: str, *, timeout_s: float, like: str = "", code: bool = False) -> None:
    """Copy a file or a tree on the host with modes, links and times, and make it durable.

    Its owner is that of `like`, where there is such a thing, else kept. `code` leaves out what Python has compiled.
    What is at `to` is removed first. Raises StepFailed.
    """
    ran = site.host.shell(_COPY, source, to, like, "code" if code else "", timeout_s=max(1.0, timeout_s))
    if not ran.ok:
        raise StepFailed(f"{source} cannot be copied to {to} on {site.host.url}: {last_line(ran.stderr)}")


def same(site: Site, one: str, other: str, *, code: bool = False, timeout_s: float = 300.0) -> bool:
    """Whether two folders have the same paths, modes, links and content. Both are read at once. Raises StepFailed.

    `code` leaves out what Python has compiled, which a running service may add to.
    """

    def tree_hash(path: str) -> str:
        ran = site.host.shell(_HASH, path, "code" if code else "", timeout_s=timeout_s)
        if not ran.ok:
            raise StepFailed(f"{path} on {site.host.url} cannot be read: {last_line(ran.stderr)}")
        return ran.stdout.strip()

    with ThreadPoolExecutor(max_workers=2) as threads:
        return len(set(threads.map(tree_hash, (one, other)))) == 1


def remove(site: Site, path: str, *, timeout_s: float = _LOOK_S) -> None:
    """Remove a tree that a run has made and that was never live. Raises HostError."""
    site.host.must(["rm", "-rf", "--", path], timeout_s=timeout_s)


def check_room(site: Site, source: str, live: str, folder: str) -> Finding:
    """Whether `source` can be copied into `folder`, and `live` be renamed. Raises Refused."""
    ran = site.host.shell(_ROOM, folder, source, live, timeout_s=_LOOK_S)
    where = f"{folder} on {site.host.url}"
    try:
        free, size, writable, owner, kind, me = ran.stdout.split("\n")[:6]
        free_kb, size_kb = int(free), int(size)
    except ValueError:
        raise Refused(f"{where} cannot be looked at: {last_line(ran.stderr)}; nothing was changed") from None
    if writable != "yes":
        raise Refused(f"{where} cannot be written to: connect as its owner; nothing was changed")
    if kind == "mount":
        raise Refused(
            f"{live} on {site.host.url} is a mount point, which cannot be renamed: name the folder in it; nothing was "
            "changed"
        )
    if owner and me not in ("root", owner):
        raise Refused(
            f"{live} belongs to {owner}, and {me} could not keep that owner: connect as {owner} or root; nothing was "
            "changed"
        )
    if free_kb < size_kb + _SPARE_KB:
        raise Refused(
            f"{where}: {free_kb // 1024} MB free, too little for a copy of {source} ({size_kb // 1024} MB): free some "
            "space there; nothing was changed"
        )
    return Finding(f"room for a copy ({size_kb // 1024} MB)", minor=True)


def last_line(said: str) -> str:
    """The last line of what a command said."""
    lines = said.strip().splitlines()
    return lines[-1] if lines else "no reason given"
