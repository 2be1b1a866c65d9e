"""Faults of the database: its rows, its schema, its server."""

from drills.faults.database import rows, schema, server, swallow
from drills.faults.fault import Fault

FAULTS: tuple[Fault, ...] = (*rows.FAULTS, *schema.FAULTS, *server.FAULTS, *swallow.FAULTS)
