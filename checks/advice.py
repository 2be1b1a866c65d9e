"""What to do next, as one types it."""

from pathlib import Path

from target.description import Target

RUNBOOK_GIT = "roll the code back (runbook, Level 2: Git-based Rollback)"
RUNBOOK_FILES = "restore the package folder from its backup (runbook, Level 2: File-level Rollback)"
RUNBOOK_CONTAINERS = "go back to the previous image (runbook, Level 3: Container-based Rollback)"
RUNBOOK_OBJECTS = "restore the files from their backup (runbook, Data Recovery: MinIO Storage Recovery)"
RUNBOOK_DATABASE = "restore the rows from their backup (runbook, Data Recovery: Database Recovery)"
RUNBOOK_PROVIDERS = "raise a stable provider (runbook, Level 1: Provider Configuration Rollback)"

NOTHING_SERVED = "the service answers no speech request with success"
SUCCESS_FIRST = "mend tts_success_rate and stt_success_rate first"


def command(target: Target, words: str) -> str:
    """`python -m <words>` for this target, with `--target` where it is not the default file."""
    source = Path(target.source)
    if not target.source or source == Path.cwd() / "target.yaml":
        return f"python -m {words}"
    near = source.relative_to(Path.cwd()) if source.is_relative_to(Path.cwd()) else source
    return f"python -m {words} --target {near}"


def environment(target: Target) -> str:
    """Level 1: the previous environment file back in place."""
    return command(target, "rollback environment")


def virtualenv(target: Target) -> str:
    """Level 3: the backup of the virtualenv in place, where the target names one."""
    if target.virtualenv is None or target.virtualenv.backup is None:
        return "name virtualenv.path and virtualenv.backup in the target, then python -m rollback virtualenv"
    return command(target, "rollback virtualenv")
