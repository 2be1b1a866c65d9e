"""The database of a stack as one reaches it from this machine."""

import psycopg

from drills.stacks.layout import LOOPBACK, Ports, Secrets

DATABASE = "voice"
ROLE = "voice"
ADMIN = "postgres"


def url(ports: Ports, password: str, database: str = DATABASE, role: str = ROLE) -> str:
    """The libpq URL of the stack's database."""
    return f"postgresql://{role}:{password}@{LOOPBACK}:{ports.postgres}/{database}"


def answers(ports: Ports, secrets: Secrets) -> str | None:
    """None when the server takes connections, else why not."""
    try:
        psycopg.connect(url(ports, secrets.database_password, ADMIN, ADMIN), connect_timeout=2).close()
    except psycopg.OperationalError as error:
        return str(error).strip().splitlines()[-1]
    return None


def create_database(ports: Ports, secrets: Secrets) -> None:
    """Make the service's role and database."""
    admin = url(ports, secrets.database_password, ADMIN, ADMIN)
    with psycopg.connect(admin, connect_timeout=5, autocommit=True) as connection:
        password = psycopg.sql.Literal(secrets.database_password)
        connection.execute(psycopg.sql.SQL("CREATE ROLE voice LOGIN PASSWORD {}").format(password))
        # Who takes a record reads the cluster's identifier.
        connection.execute("GRANT pg_monitor TO voice")
        connection.execute("CREATE DATABASE voice OWNER voice STRATEGY file_copy")
