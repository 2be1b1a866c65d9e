"""The commit that something was taken at."""

import subprocess

from drills.operator import REPOSITORY

_ASK_S = 20.0


def commit() -> str:
    """The commit of this repository, with `-changed` where its files differ from it; `unknown` outside of git."""
    head = _git("rev-parse", "HEAD")
    if head is None:
        return "unknown"
    changed = _git("status", "--porcelain", "--", "target", "rollback", "perf", "checks", "reports", "drills")
    return head + ("-changed" if changed else "")


def _git(*words: str) -> str | None:
    try:
        ran = subprocess.run(
            ["git", *words], cwd=REPOSITORY, capture_output=True, text=True, timeout=_ASK_S, check=False
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return ran.stdout.strip() if ran.returncode == 0 else None
