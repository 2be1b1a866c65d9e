"""Where the service's process runs from, as `/proc` shows it."""

from rollback.errors import StepFailed
from rollback.site import Site
from target.errors import HostError

# The real path of $2, then of process $1 and of all below it: the command's first word, and what is mapped of $2.
_RUNS = r"""
pids=$1 newest=$1 folder=$2
real=$(readlink -f -- "$folder")
printf '%s' "$real"
while [ -n "$newest" ]; do
    below=
    for pid in $newest; do
        for file in /proc/"$pid"/task/*/children; do
            [ ! -r "$file" ] || below="$below $(cat "$file")"
        done
    done
    newest=$(echo $below) pids="$pids $newest"
done
for pid in $pids; do
    printf '\036'
    tr '\0' '\n' < /proc/"$pid"/cmdline | head -n 1
    sed -n 's,^[^/]*\(/.*\)$,\1,p' /proc/"$pid"/maps | grep -F -e "$folder" -e "$real" | sort -u
done 2>/dev/null
exit 0
"""


def runs_from(site: Site, folder: str, key: str) -> str:
    """Evidence that the service's process, or one below it, runs from the folder, and nothing from one set aside.

    Raises StepFailed naming what it runs; `key` is the key of the target file that names the folder.
    """
    control = site.target.service
    if control is not None and control.compose is not None:
        return ""  # its processes see another file system
    try:
        pid = site.service.status().pid
        if pid is None:
            raise StepFailed(f"{site.service.name} stopped running")
        ran = site.host.shell(_RUNS, str(pid), folder)
    except HostError as error:
        return f"where it runs from cannot be seen ({error})"
    real, *processes = ran.stdout.split("\x1e")
    roots = {folder, real}
    lines = [process.split("\n") for process in processes]
    mapped = [path for words in lines for path in words[1:]]
    stale = [path for path in mapped if any(path.startswith(f"{root}.") for root in roots)]
    if stale:
        raise StepFailed(f"process {pid} still has {stale[0]} loaded, of what was set aside")
    commands = [words[0] for words in lines]
    if any(path.startswith(f"{root}/") for path in [*commands, *mapped] for root in roots):
        return f"runs from {folder}"
    raise StepFailed(
        f"process {pid} runs {commands[0] if commands else 'nothing'}, not from {folder}: is `{key}` what the service "
        "is started with?"
    )
