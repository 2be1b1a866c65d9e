"""The actions there are: their words on the command line, their levels, and how each is made for a host."""

import importlib
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:  # --help answers at once
    from rollback.action import Action
    from rollback.site import Site
    from rollback.way import Way
    from target.record import Record


class Option(msgspec.Struct, frozen=True):
    """An option of one action beside those that all have; `takes` is the word for its value, empty for a switch.

    A `listed` one takes several values. `name` is `to` for `--to`; one without dashes on the command line is `bare`.
    """

    name: str
    help: str
    takes: str = ""
    listed: bool = False
    bare: bool = False


class Offer(msgspec.Struct, frozen=True):
    """An action on offer. `level` 0 is data recovery. The module `rollback.actions.<name>` has `build` for it."""

    name: str
    level: int
    about: str
    options: tuple[Option, ...] = ()

    @property
    def shared(self) -> bool:
        """Whether it works on a store that all hosts of a target use: it is carried out from the first host alone."""
        return self.level == 0

    def build(self, site: "Site", options: Namespace, record: "Record | None" = None) -> "Action[Any]":
        """The action for a host. `record`: where a set goes, so that every part goes there. Raises TargetError."""
        module = importlib.import_module(f"rollback.actions.{self.name}")
        action: Action[Any] = module.build(site, options, record)
        return action

    def glance(self, site: "Site", records: "Sequence[Record]") -> "Way | None":
        """What it could go back to, told quickly; None where it does not tell. Raises TargetError."""
        module = importlib.import_module(f"rollback.actions.{self.name}")
        way: Way | None = module.glance(site, records) if hasattr(module, "glance") else None
        return way

    def options_of(self) -> Namespace:
        """Its options where none is given."""
        return Namespace(**self.defaults())

    def defaults(self) -> dict[str, Any]:
        """The values of its options where none is given, by name."""
        return {
            option.name: [] if option.listed else None if option.takes else False for option in self.options
        }


OFFERS: dict[str, Offer] = {
    offer.name: offer
    for offer in (
        Offer(
            "environment",
            1,
            "Level 1: put the previous environment file back, restart, prove",
            (Option("to", "this file instead of the target's previous one", "FILE"),),
        ),
        Offer(
            "providers",
            1,
            "Level 1: leave failing providers out, put a stable one first, restart, prove",
            (
                Option(
                    "disable",
                    "leave this one out (repeatable); else those that fail now",
                    "NAME",
                    listed=True,
                ),
                Option("raise", "put this one first; else the first that is stable", "NAME"),
            ),
        ),
        Offer(
            "git",
            2,
            "Level 2: the checkout back to the last good commit, restart, prove",
            (
                Option(
                    "to", "this commit, tag, record or version instead of the newest healthy record", "COMMIT"
                ),
                Option("push", "push the rollback branch to the remote too, never by force"),
            ),
        ),
        Offer(
            "files",
            2,
            "Level 2: restore code and requirements from the dated backup, restart, prove",
            (Option("to", "this backup folder, or the backup of this record or version", "FOLDER|RECORD"),),
        ),
        Offer(
            "containers",
            3,
            "Level 3: pin the previous image in the compose file, make the container anew, prove",
            (Option("to", "this image or record instead of the newest healthy record", "IMAGE"),),
        ),
        Offer(
            "virtualenv",
            3,
            "Level 3: put the backup of the virtualenv in place, restart, prove",
            (Option("to", "this record or version instead of the newest healthy one", "RECORD"),),
        ),
        Offer(
            "objects",
            0,
            "data recovery: copy missing and corrupt objects from the backup into the bucket, verify",
            (Option("to", "this backup instead of the newest, by its name, such as 2025-08-02", "BACKUP"),),
        ),
        Offer(
            "database",
            0,
            "data recovery: bring back rows of the usage log from a dump, mend doubled rows, sequence, indexes",
            (Option("to", "this dump (path or name), or that of this date", "DUMP|DATE"),),
        ),
        Offer(
            "set",
            3,
            "Level 1 to 3: several of these as one, to one record: code, packages, environment, image",
            (
                Option(
                    "parts", "what to roll back; else all that differs from the record", "ACTION", True, True
                ),
                Option("to", "this record or version instead of the newest healthy one", "RECORD"),
            ),
        ),
    )
}


def level_says(level: int) -> str:
    """`Level 2`, or `Data recovery`."""
    return f"Level {level}" if level else "Data recovery"
