"""What the rows mean: caught or not, false silence, false alarms, and the holes of a matrix."""

from collections.abc import Iterable, Mapping

from drills.matrix.row import HEALTHY, Hole, Row


def named_wrong(row: Row) -> str | None:
    """The criterion that the verdict names first, where it is not one of those that it has to."""
    first = next(iter(row.failed), None)
    return first if row.first and first is not None and first not in row.first else None


def of_row(row: Row) -> list[Hole]:
    """The holes that one row shows; a row that is inconclusive shows none."""
    if row.trouble:
        return []
    found: list[Hole] = []
    if row.fault != HEALTHY and not row.caught_by:
        seen = f"{', '.join(row.failed)} failed" if row.failed else "nothing failed"
        wanted = f"has to turn {', '.join(row.must)} red" if row.must else "says of no criterion that it must"
        found.append(Hole("not caught", row.fault, f"{wanted}; {seen}"))
    elif row.silent:
        outcomes = [f"{name} is {_outcome(row, name)}" for name in row.silent]
        found.append(Hole("false silence", row.fault, "; ".join(outcomes)))
    if row.alarms:
        after = f" (before it: {row.after})" if row.after else ""
        told = "; ".join(f"{name}: {row.failed[name]}" for name in row.alarms)
        found.append(Hole("false alarm", row.fault, f"{told}{after}"))
    elif first := named_wrong(row):
        found.append(
            Hole("named wrong", row.fault, f"the verdict begins with {first}, not {' or '.join(row.first)}")
        )
    return found


def _outcome(row: Row, criterion: str) -> str:
    if criterion in row.inconclusive:
        return f"inconclusive ({row.inconclusive[criterion]})"
    if criterion in row.passed:
        return "pass"
    return "not applicable" if criterion in row.not_applicable else "not told"


def of_criteria(rows: Iterable[Row], criteria: Iterable[str], elsewhere: Mapping[str, object]) -> list[Hole]:
    """The criteria that no row turns red as it should, and those that are said to be elsewhere and are not."""
    sound = [row for row in rows if not row.trouble]
    found: list[Hole] = []
    for name in criteria:
        if name in elsewhere:
            decided = [row.fault for row in sound if name in row.passed or name in row.failed]
            if decided:
                found.append(
                    Hole("not elsewhere", name, f"said not to apply on this stack, decided in {decided[0]}")
                )
        elif not any(name in row.failed and name in (*row.must, *row.may) for row in sound):
            found.append(Hole("never red", name, "no fault turns it red"))
    unknown = sorted(set(elsewhere) - set(criteria))
    found += [Hole("not elsewhere", name, "there is no such criterion") for name in unknown]
    return found


def exit_code(holes: list[Hole], rows: Iterable[Row], *, wanted: Iterable[str]) -> int:
    """0 no hole, 1 a hole, 6 no hole but rows that are inconclusive or missing."""
    if holes:
        return 1
    sound = {row.fault for row in rows if not row.trouble}
    troubled = any(row.trouble for row in rows)
    return 6 if troubled or not set(wanted) <= sound else 0
