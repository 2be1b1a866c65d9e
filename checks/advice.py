"""What to do next, as one types it."""

from collections.abc import Iterable
from pathlib import Path

from target.description import Target

NOTHING_TO_ROLL_BACK = "look at what stands before the service and at its log: there is nothing to go back to"
MEND_WHAT_IS_BEHIND = "bring that back; what runs and how it is configured is as recorded"
MEND_WHAT_IT_WAITS_FOR = (
    "look at what the service waits for (storage, database, network, the host's processor): no rollback makes it "
    "quicker"
)
MIGRATE = "bring the database to the revision of the recorded version (alembic), after a backup"
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


def other_environment(target: Target) -> str:
    """Level 1, where the previous environment file is none to go back to."""
    return f"{command(target, 'rollback environment --to FILE')}, with an environment that was good"


def code(target: Target, here: str | None, recorded: str | None) -> str:
    """Level 2: the code of the last good release: by git where the checkout is not at the recorded revision.

    Where it is, and only files differ, they come from their backup if there is one. Without git the revisions are None.
    """
    at_rest = here == recorded and target.code is not None and target.code.backups is not None
    return files(target) if here is None or at_rest else git(target)


def compiled(target: Target, here: str | None, restart: str) -> str:
    """Level 2: code without what Python has compiled of another; by hand without a backup of it and without git."""
    if here is not None or target.code is None or target.code.backups is not None:
        return code(target, here, here)
    return f"remove the `__pycache__` folders in {target.code.checkout}/{target.code.package}, then {restart}"


def files(target: Target) -> str:
    """Level 2: code from the dated backup, where the target names one."""
    if target.code is None or target.code.backups is None:
        return "name code.backups in the target, or the folder of one: python -m rollback files --to FOLDER"
    return command(target, "rollback files")


def git(target: Target) -> str:
    """Level 2: the last good commit; the image where there is no checkout."""
    if target.code is not None:
        return command(target, "rollback git")
    if target.service is not None and target.service.compose is not None:
        return containers(target)
    return "name code.checkout in the target, then python -m rollback git"


def containers(target: Target) -> str:
    """Level 3: the image of the last good release."""
    return command(target, "rollback containers")


def virtualenv(target: Target) -> str:
    """Level 3: the backup of the virtualenv in place, where the target names one."""
    if target.virtualenv is None or target.virtualenv.backup is None:
        return "name virtualenv.path and virtualenv.backup in the target, then python -m rollback virtualenv"
    return command(target, "rollback virtualenv")


def together(target: Target, to: str | None = None) -> str:
    """Several parts as one, to one record: the newest good one, or one that is named."""
    return command(target, f"rollback set{f' --to {to}' if to else ''}")


def objects(target: Target) -> str:
    """Data recovery: objects from their backup, where the target names one."""
    if target.objects is None or target.objects.backup_bucket is None:
        return "name objects.backup_bucket in the target, then python -m rollback objects"
    return command(target, "rollback objects")


def database(target: Target) -> str:
    """Data recovery: what is wrong with the usage log mended from a dump, where the target says how."""
    lacking = [key for key in ("admin_url", "dumps") if getattr(target.database, key, None) is None]
    if lacking:
        keys = " and ".join(f"database.{key}" for key in lacking)
        return f"name {keys} in the target, then python -m rollback database"
    return command(target, "rollback database")


def rows(target: Target) -> str:
    """Data recovery of rows that are missing: what no dump has cannot come back. One can type all of it."""
    return f"{database(target)}  # rows newer than every dump are lost"


def providers(target: Target, failing: Iterable[str] = ()) -> str:
    """Level 1: the failing providers left out (those that it finds, where none is named), a stable one first."""
    return command(target, " ".join(["rollback providers", *(f"--disable {name}" for name in failing)]))
