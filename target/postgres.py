"""A PostgreSQL server as this suite uses it: one connection, read-only transactions, every wait bounded."""

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, LiteralString

from target.errors import DatabaseError
from target.redact import Redactor

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

APPLICATION = "voice-v2-rollback"

# What libpq and the server say when a connection fails (it comes without an SQLSTATE), what it means, what to do.
_REFUSALS = (
    (
        "connection refused",
        "refuses connections",
        "start PostgreSQL, or correct host and port in `database.url`",
    ),
    ("no such file or directory", "has no socket there", "start PostgreSQL, or correct the socket's folder"),
    ("password authentication failed", "refuses the password", "correct the password in `database.url`"),
    ("no password supplied", "wants a password", "put the password into `database.url` as ${VARIABLE}"),
    (
        "no pg_hba.conf entry",
        "does not let this user in from here",
        "add a line to pg_hba.conf, or ask through a tunnel",
    ),
    ("does not exist", "knows no such database or user", "correct user and database in `database.url`"),
    ("failed to resolve host", "has a name that does not resolve", "correct the host in `database.url`"),
    ("too many clients", "has no free connection", "end idle sessions, or raise max_connections"),
    ("connection slots", "has no free connection", "end idle sessions, or raise max_connections"),
    ("starting up", "is still starting", "wait for it, then run this again"),
    ("shutting down", "is shutting down", "start it again, then run this again"),
    ("recovery mode", "is recovering after a crash", "wait for it, then run this again"),
    ("ssl", "and this side do not agree on TLS", "correct `sslmode` in `database.url`"),
)


class Postgres:
    """A lazily opened connection, used by one thread at a time. Failures are `DatabaseError` without a password.

    `key` is where the target file has the URL; `application` is what the server shows of the session.
    """

    def __init__(
        self, url: str, timeout_s: float, *, key: str = "database.url", application: str = APPLICATION
    ) -> None:
        self._url = url
        self._timeout_s = self._lock_s = timeout_s
        self._key = key
        self._application = application
        self._lock = threading.Lock()
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._redactor = Redactor([url])
        self._where: str | None = None

    @property
    def where(self) -> str:
        """Server, port and database, for messages. Raises DatabaseError when the URL is none."""
        if self._where is None:
            import psycopg
            from psycopg import conninfo

            try:
                parts = conninfo.conninfo_to_dict(self._url)
            except psycopg.Error:  # its text quotes the URL
                raise DatabaseError(
                    f"`{self._key}` is not a PostgreSQL URL: write postgresql://USER:${{PASSWORD}}@HOST:PORT/DATABASE"
                ) from None
            self._redactor.add(str(parts[name]) for name in ("password", "sslpassword") if parts.get(name))
            user = parts.get("user") or "the default user"
            server = (
                f"{parts.get('host') or parts.get('hostaddr') or 'localhost'}:{parts.get('port') or 5432}"
            )
            self._where = f"PostgreSQL at {server}, database {parts.get('dbname') or user} as {user}"
        return self._where

    @contextlib.contextmanager
    def reading(self) -> Iterator["psycopg.Connection[tuple[Any, ...]]"]:
        """A read-only repeatable-read transaction with the clock in UTC, bounded here and on the server."""
        with self._within("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", self._timeout_s) as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self, *, lock_s: float) -> Iterator["psycopg.Connection[tuple[Any, ...]]"]:
        """A transaction that is committed at the end of the block, and waits at most `lock_s` for each lock."""
        with self._within("BEGIN ISOLATION LEVEL READ COMMITTED", lock_s) as connection:
            yield connection

    def outside(self, statement: "sql.Composed") -> None:
        """Carry out what may be in no transaction (CREATE DATABASE)."""
        import psycopg

        with self._lock:
            connection = self._connection or self._connect()
            try:
                with self._bounded(connection):
                    connection.execute(statement)
            except psycopg.Error as error:
                self._drop()
                raise self._failed(error) from None

    @contextlib.contextmanager
    def _within(self, begin: LiteralString, lock_s: float) -> Iterator["psycopg.Connection[tuple[Any, ...]]"]:
        import psycopg

        with self._lock:
            self._lock_s = lock_s
            connection = self._begin(begin, lock_s)
            try:
                with self._bounded(connection):
                    yield connection
                    connection.execute("COMMIT")
            except psycopg.Error as error:
                self._drop()
                raise self._failed(error) from None
            except BaseException:
                self._drop()
                raise

    def close(self) -> None:
        """Close the connection; a later use opens another."""
        with self._lock:
            self._drop()

    def _begin(self, begin: LiteralString, lock_s: float) -> "psycopg.Connection[tuple[Any, ...]]":
        import psycopg
        from psycopg import sql

        settings = sql.SQL(
            begin + "; SET LOCAL statement_timeout = {limit}; SET LOCAL lock_timeout = {lock}; "
            "SET LOCAL timezone = 'UTC'"
        ).format(limit=int(self._timeout_s * 1000), lock=int(lock_s * 1000))
        kept = self._connection is not None
        connection = self._connection or self._connect()
        try:
            with self._bounded(connection):
                connection.execute(settings)
        except psycopg.Error as error:
            self._drop()
            if kept:  # the server may have been restarted since: a new connection decides
                return self._begin(begin, lock_s)
            raise self._failed(error) from None
        return connection

    def _connect(self) -> "psycopg.Connection[tuple[Any, ...]]":
        import psycopg

        where = self.where
        try:
            self._connection = psycopg.connect(
                self._url,
                autocommit=True,
                prepare_threshold=None,
                connect_timeout=max(2, round(self._timeout_s)),
                application_name=self._application,
            )
        except psycopg.errors.ConnectionTimeout:
            raise DatabaseError(
                f"{where}: no connection within {self._timeout_s:g} s; is it reachable from here?"
            ) from None
        except psycopg.Error as error:
            told = str(error).lower()
            for sign, meaning, mend in _REFUSALS:
                if sign in told:
                    then = mend.replace("database.url", self._key)
                    raise DatabaseError(f"{where} {meaning}: {then}") from None
            raise DatabaseError(f"{where} cannot be connected to: {self._first_line(error)}") from None
        return self._connection

    @contextlib.contextmanager
    def _bounded(self, connection: "psycopg.Connection[tuple[Any, ...]]") -> Iterator[None]:
        """Cut the connection when a server that stopped answering has not kept its own timeout."""
        with socket.socket(fileno=os.dup(connection.fileno())) as line:

            def cut() -> None:
                with contextlib.suppress(OSError):  # the other side may have closed it in the same moment
                    line.shutdown(socket.SHUT_RDWR)

            timer = threading.Timer(self._timeout_s + 1.0, cut)
            timer.daemon = True
            timer.start()
            try:
                yield
            finally:
                timer.cancel()
                timer.join()

    def _failed(self, error: "psycopg.Error") -> DatabaseError:
        import psycopg

        where = self.where
        if isinstance(error, psycopg.errors.QueryCanceled | psycopg.errors.LockNotAvailable):
            limit = self._lock_s if isinstance(error, psycopg.errors.LockNotAvailable) else self._timeout_s
            return DatabaseError(
                f"{where} did not finish within {limit:g} s: is it overloaded, is the table locked? "
                "The view pg_stat_activity shows what runs"
            )
        if isinstance(error, psycopg.errors.InsufficientPrivilege):
            return DatabaseError(f"{where}: {self._first_line(error)}; grant SELECT on it to this user")
        if isinstance(error, psycopg.errors.DiskFull):
            return DatabaseError(
                f"{where} has no room left ({self._first_line(error)}): free some on the server"
            )
        if error.sqlstate is None or isinstance(error, psycopg.OperationalError):
            return DatabaseError(
                f"{where} stopped answering ({self._first_line(error)}): look at its log, then run this again"
            )
        return DatabaseError(f"{where} cannot answer: {self._first_line(error)} (SQLSTATE {error.sqlstate})")

    def _first_line(self, error: "psycopg.Error") -> str:
        lines = str(error).strip().splitlines()
        return self._redactor.text(lines[0]) if lines else type(error).__name__

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
