"""The commit that something was taken at."""

import subprocess

from drills.operator import REPOSITORY

_ASK_S = 20.0


def commit() -> str:
    """The commit of this repository, with `-changed` where its code differs from it; `unknown` outside of git.

    The results that are kept beside the code decide nothing, and one is taken after the other.
    """
    head = _git("rev-parse", "HEAD")
    if head is None:
        return "unknown"
    code = ("target", "rollback", "perf", "checks", "reports", "drills", ":(exclude)drills/matrix/*.json")
    changed = _git("status", "--porcelain", "--", *code)
    return head + ("-changed" if changed else "")


def _git(*words: str) -> str | None:
    try:
        ran = subprocess.run(
            ["git", *words], cwd=REPOSITORY, capture_output=True, text=True, timeout=_ASK_S, check=False
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return ran.stdout.strip() if ran.returncode == 0 else None
