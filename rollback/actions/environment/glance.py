"""The previous environment, judged as far as can be without asking anybody."""

from collections.abc import Sequence

from rollback import clock
from rollback.site import Site
from rollback.way import Way
from target import environment
from target.errors import HostError
from target.record import Record, describe
from target.redact import secrets_of


def glance(site: Site, records: Sequence[Record]) -> Way | None:
    """What the target's previous environment is; None where the target names none. Raises TargetError."""
    settings = site.target.environment
    if settings is None:
        return None
    facts = site.host.facts(settings.previous)
    if facts is None:
        return Way("environment", f"{settings.previous} is not there", usable=False)
    try:
        content = site.host.read(settings.previous)
    except HostError as error:
        return Way("environment", str(error), usable=False)
    reading = environment.read(content, settings.reader)
    site.redactor.add(secrets_of(reading.variables))
    says = [f"{settings.previous} of {clock.minute(facts.modified)}", f"{len(reading.variables)} variables"]
    same, good = list[Record](), list[Record]()
    if any(record.environment for record in records):
        keyed = site.records.keyed_hash(content)
        same = [record for record in records if record.environment and record.environment.file_hmac == keyed]
        good = [record for record in same if record.state != "bad"]
        says.append(
            f"environment of {describe((good or same)[0])}" if same else "the environment of no record"
        )
    if reading.faults:
        says.append(f"cannot be used: {reading.faults[0]}")
    current = site.host.facts(settings.file)
    equal = current is not None and site.host.read(settings.file) == content
    if equal:
        says.append("equal to the one in place")
    return Way(
        "environment",
        " · ".join(says),
        usable=not equal and not reading.faults and (bool(good) or not same),
        records=() if reading.faults else tuple(record.name for record in good),
        same=equal,
    )
