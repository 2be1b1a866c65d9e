"""Which dump to go back to: the newest by the date in its name, or the one that was named."""

import datetime
import re

import msgspec

from rollback import clock
from rollback.errors import Refused
from target.host import Host


class Dated(msgspec.Struct, frozen=True):
    """A dump by its name; `when` seconds since the epoch, from the date in the name (UTC)."""

    path: str
    when: float

    @property
    def day(self) -> str:
        """The date in the name, ISO."""
        return datetime.datetime.fromtimestamp(self.when, datetime.UTC).date().isoformat()


def found(host: Host, pattern: str) -> list[Dated]:
    """The dumps whose names are as the pattern says, newest first."""
    folder, _, name = pattern.rpartition("/")
    dated = []
    for each in host.list(folder or "/"):
        try:
            moment = datetime.datetime.strptime(each, name).replace(tzinfo=datetime.UTC)
        except ValueError:
            continue
        dated.append(Dated(f"{folder}/{each}", moment.timestamp()))
    return sorted(dated, key=lambda dump: (dump.when, dump.path), reverse=True)


def named(pattern: str, stamp: str) -> str:
    """The path of a dump taken at that time (`20261123T140210Z`)."""
    folder, _, name = pattern.rpartition("/")
    moment = datetime.datetime.fromtimestamp(clock.of_stamp(stamp), datetime.UTC)
    return f"{folder}/{moment.strftime(name)}"


def choose(host: Host, pattern: str | None, to: str | None) -> str:
    """The path of the dump: the newest, or what `to` names: a path, a name, or a date. Raises Refused."""
    if to is not None and to.startswith("/"):
        return to
    if pattern is None:
        raise Refused(
            "the target names no `database.dumps`: name a dump with --to /PATH, or write where they are; nothing was "
            "changed"
        )
    there = found(host, pattern)
    if to is None:
        if not there:
            raise Refused(
                f"no dump on {host.url} is called {pattern}: correct `database.dumps`, or name one with --to /PATH; "
                "nothing was changed"
            )
        return there[0].path
    of_day = bool(re.fullmatch(r"\d{4}-\d{2}-\d{2}", to))
    for dump in there:
        if to == (dump.day if of_day else dump.path.rpartition("/")[2]):
            return dump.path
    known = ", ".join(dump.day if of_day else dump.path.rpartition("/")[2] for dump in there[:5]) or "none"
    raise Refused(f"no dump {to} on {host.url} as {pattern} says; there are: {known}; nothing was changed")


def older(host: Host, pattern: str | None, path: str) -> str:
    """The words for going to the next older dump; empty where there is none."""
    there = [] if pattern is None else found(host, pattern)
    paths = [dump.path for dump in there]
    after = paths[paths.index(path) + 1 :] if path in paths else []
    return f"python -m rollback database --to {after[0].rpartition('/')[2]}" if after else ""
