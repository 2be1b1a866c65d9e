"""Errors that a person can act on: each message says what is wrong, where, and what to do next."""


class TargetError(Exception):
    """The target, its description or its surroundings cannot be used (exit 4); never carries a secret."""


class HostError(TargetError):
    """A command could not be carried out on a host: unreachable, refused, or past its deadline."""


class PastDeadline(HostError):
    """A command on a host that could be reached was killed there, not finished in its time."""


class ApiError(TargetError):
    """The service could not be asked at all: no connection, no answer in time, or not its protocol."""


class StoreError(TargetError):
    """Object storage could not be asked; the message names endpoint, bucket and the server's own code."""


class DatabaseError(TargetError):
    """The database could not be asked; the message names server and database, never the password."""


class TableMissing(DatabaseError):
    """The database was asked, and does not have the table."""


class RecordError(TargetError):
    """A record is missing, unreadable, of another version of the format, or marked bad."""


class WrongTarget(TargetError):
    """The target itself is wrong or out of reach, so that nothing can be judged: the run ends with exit 4."""


class WrongAddress(ApiError, WrongTarget):
    """What `api.url` names is not the service: its name does not resolve, or something else answers there."""
