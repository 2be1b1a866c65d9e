"""The operator's own copy of a journal, for reports: `runs/<run>-<target>/journal.jsonl` beside the verdicts."""

import re
from pathlib import Path

import msgspec

from rollback.result import Result
from rollback.site import Site
from target.errors import TargetError

RUNS = Path(__file__).resolve().parents[1] / "runs"


def keep(site: Site, result: Result, first: Result) -> str:
    """Copy the journal of a host's run into the folder of the `first` host's; why there is no copy, else nothing.

    The journal on the host is the one that counts, so that what keeps it from being copied stops nothing.
    """
    if result.run is None or result.journal is None:
        return ""
    hosts = site.target.hosts
    name = "journal.jsonl" if len(hosts) == 1 else f"journal-{hosts.index(site.host.url) + 1}.jsonl"
    folder = RUNS / re.sub(r"[^\w.-]", "_", f"{first.run or result.run}-{site.target.name}")
    try:
        content = site.host.read(result.journal)
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{name}"
        temporary.write_bytes(_redacted(content, site))
        temporary.replace(folder / name)
    except (TargetError, OSError) as error:
        return f"no copy of the journal is kept on this machine ({error}); it is on the host"
    return ""


def _redacted(content: bytes, site: Site) -> bytes:
    """Every line once more, the first included: nobody resumes from a copy."""
    lines = []
    for line in content.splitlines():
        try:
            lines.append(msgspec.json.encode(site.redactor.data(msgspec.json.decode(line))))
        except msgspec.DecodeError:  # cut short by a crash
            continue
    return b"".join(line + b"\n" for line in lines)
