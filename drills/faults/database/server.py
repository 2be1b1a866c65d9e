"""Faults of the database's server: it does not run, lets nobody in, takes no writes."""

import psycopg
from psycopg import sql

from drills.faults.fault import Fault, FaultError, Place
from drills.stacks import database
from drills.stacks.stack import Stack
from target.wait import Seen, eventually

_READY_S = 30.0
_OTHER_PASSWORD = "rotated-by-somebody-else"  # noqa: S105  (of a database that lives for a drill)
_ABANDONED = "abandoned"
_FULL = ("too many clients", "connection slots")
# More than any stack's server admits.
_MOST_SESSIONS = 500


class DatabaseDown(Fault, frozen=True):
    """PostgreSQL does not run."""

    def inject(self, at: Place) -> None:
        at.stack.supervisor.stop("postgres")

    def landed(self, at: Place) -> str:
        complaint = database.answers(at.stack.ports, at.stack.secrets)
        if complaint is None:
            raise FaultError(f"{self.name}: the server takes connections")
        return f"nothing answers at port {at.stack.ports.postgres}"

    def heal(self, at: Place) -> None:
        at.stack.supervisor.start("postgres")

        def look() -> Seen:
            complaint = database.answers(at.stack.ports, at.stack.secrets)
            return Seen(complaint is None, complaint or "")

        waited = eventually(look, deadline_s=_READY_S)
        if not waited.met:
            raise FaultError(f"{self.name}: the server does not come back: {waited.seen}")
        at.stack.restart_service()


class PasswordRotated(Fault, frozen=True):
    """The role of the service has another password at the server, and its sessions were ended."""

    def inject(self, at: Place) -> None:
        self._set(at.stack, _OTHER_PASSWORD)
        end_sessions(at.stack)

    def landed(self, at: Place) -> str:
        said = refused(at.stack)
        if "password authentication failed" not in said:
            raise FaultError(f"{self.name}: the server says: {said or 'come in'}")
        at.stack.wait_service(status="unhealthy")
        return f"the server says: {said}"

    def heal(self, at: Place) -> None:
        self._set(at.stack, at.stack.secrets.database_password)
        at.stack.restart_service()

    @staticmethod
    def _set(stack: Stack, password: str) -> None:
        statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(
            sql.Identifier(database.ROLE), sql.Literal(password)
        )
        with stack.database(admin=True) as connection:
            connection.execute(statement)


class ReadOnly(Fault, frozen=True):
    """Transactions are read-only unless they say otherwise, as on a standby; earlier sessions were ended."""

    def inject(self, at: Place) -> None:
        self._alter(at.stack, "SET default_transaction_read_only = on")
        end_sessions(at.stack)

    def landed(self, at: Place) -> str:
        try:
            with at.stack.database() as connection:
                connection.execute("CREATE TEMPORARY TABLE probe ()")
        except psycopg.errors.ReadOnlySqlTransaction as error:
            return f"the server says: {str(error).splitlines()[0]}"
        raise FaultError(f"{self.name}: the server takes writes")

    def heal(self, at: Place) -> None:
        self._alter(at.stack, "RESET default_transaction_read_only")
        end_sessions(at.stack)
        at.stack.restart_service()

    @staticmethod
    def _alter(stack: Stack, what: str) -> None:
        with stack.database(admin=True) as connection:
            connection.execute("SET TRANSACTION READ WRITE")
            connection.execute(f"ALTER DATABASE {database.DATABASE} {what}".encode())


class ConnectionsExhausted(Fault, frozen=True):
    """Clients that died have left sessions that work on: no connection is free but for a superuser."""

    def inject(self, at: Place) -> None:
        # Each time that the service's own are ended, what is free then has to be taken as well.
        def look() -> Seen:
            self._fill(at.stack)
            ended = end_sessions(at.stack, but=_ABANDONED)
            full, said = self._full(at.stack)
            return Seen(
                ended == 0 and full, f"{ended} sessions were ended, the server says: {said or 'come in'}"
            )

        waited = eventually(look, deadline_s=_READY_S)
        if not waited.met:
            raise FaultError(f"{self.name}: connections are free again and again: {waited.seen}")

    def landed(self, at: Place) -> str:
        full, said = self._full(at.stack)
        if not full:
            raise FaultError(f"{self.name}: the server says: {said or 'come in'}")
        at.stack.wait_service(status="unhealthy")
        return f"the server says: {said}"

    def heal(self, at: Place) -> None:
        end_sessions(at.stack)
        at.stack.restart_service()

    @staticmethod
    def _full(stack: Stack) -> tuple[bool, str]:
        """Whether the server has no connection left, and what it says; on a busy machine it may only be slow."""
        said = refused(stack)
        return any(sign in said for sign in _FULL), said

    def _fill(self, stack: Stack) -> None:
        for _ in range(_MOST_SESSIONS):
            try:
                connection = psycopg.connect(
                    database.url(stack.ports, stack.secrets.database_password),
                    connect_timeout=5,
                    application_name=_ABANDONED,
                )
            except psycopg.OperationalError:
                return
            # The server does not look whether the client is still there while it has something to do.
            connection.pgconn.send_query(b"SELECT pg_sleep(86400)")
            connection.pgconn.flush()
            connection.close()
        raise FaultError(f"{self.name}: the server has given {_MOST_SESSIONS} connections, and gives more")


def refused(stack: Stack) -> str:
    """Why the server lets the service's role in no more; empty where it does."""
    try:
        psycopg.connect(database.url(stack.ports, stack.secrets.database_password), connect_timeout=5).close()
    except psycopg.OperationalError as error:
        return str(error).strip().splitlines()[0].rpartition("FATAL:")[2].strip()
    return ""


def end_sessions(stack: Stack, but: str = "") -> int:
    """End the sessions of the service's role, but those of that application; how many there were."""
    with stack.database(admin=True) as connection:
        rows = connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE usename = %s AND application_name <> %s AND pid <> pg_backend_pid()",
            (database.ROLE, but),
        ).fetchall()
    return len(rows)


FAULTS: tuple[Fault, ...] = (
    DatabaseDown(
        name="database-down",
        says="PostgreSQL does not run",
        part="database",
        must=("components_healthy", "tts_success_rate", "stt_success_rate"),
        shows=("components_healthy",),
        scenario=3,
    ),
    PasswordRotated(
        name="database-password-rotated",
        says="the password of the service's role was changed at the server",
        part="database",
        must=("components_healthy", "tts_success_rate", "stt_success_rate"),
        shows=("components_healthy",),
        scenario=3,
    ),
    ReadOnly(
        name="database-read-only",
        says="the database takes no writes",
        part="database",
        must=("tts_success_rate", "stt_success_rate", "database_writable"),
        scenario=1,
    ),
    ConnectionsExhausted(
        name="connections-exhausted",
        says="sessions whose clients have died hold every connection of the server",
        part="database",
        must=("components_healthy", "tts_success_rate", "stt_success_rate"),
        shows=("components_healthy",),
        scenario=3,
    ),
)
