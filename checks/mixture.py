"""Whether everything that runs belongs to one record, or is put together of several."""

from target.choice import apart_from
from target.record import Record


def belongs_to(
    records: list[Record],
    *,
    version: str | None = None,
    code: str | None = None,
    environment: dict[str, str] | None = None,
    packages: dict[str, str] | None = None,
    apart: frozenset[str] = frozenset(),
) -> dict[str, set[str]]:
    """For each part that is known: the names of the records that it equals.

    `apart` are variables of the environment that do not count.
    """
    found: dict[str, set[str]] = {}
    if version is not None:
        found["served version"] = {each.name for each in records if each.version == version}
    if code is not None:
        found["code"] = {each.name for each in records if each.code and each.code.tree_sha256 == code}
    if environment is not None:
        found["environment"] = {
            each.name
            for each in records
            if each.environment
            and apart_from(each.environment.values, apart) == apart_from(environment, apart)
        }
    if packages is not None:
        found["packages"] = {each.name for each in records if each.packages == packages}
    return found


def mixture(parts: dict[str, set[str]]) -> str | None:
    """A line naming which part belongs to which record when they are of different ones; None when they fit.

    A part that equals no record at all is another check's business.
    """
    known = {part: names for part, names in parts.items() if names}
    if not known or set.intersection(*known.values()):
        return None
    return ", ".join(f"{part} of {' or '.join(sorted(names))}" for part, names in known.items())
