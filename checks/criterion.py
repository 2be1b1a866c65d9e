"""Criteria: the named limits that decide a verdict, read from `criteria.yaml` in the runbook's notation."""

import re
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

from target.errors import TargetError

SOURCE = Path(__file__).with_name("criteria.yaml")
_NOTATION = re.compile(
    r"(?P<name>[a-z][a-z0-9_]*)?\s*(?P<sign><=|>=|<|>)\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>%|[a-zA-Z]*)"
)
_SCALES = {"ms": 0.001, "s": 1.0, "%": 0.01, "B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "": 1.0}
KINDS = ("health", "deployment", "provider", "functional", "performance", "data", "monitoring", "security")


class CriteriaError(TargetError):
    """A criterion that cannot be read; names the file, the criterion and the notation."""


class Criterion(msgspec.Struct, frozen=True):
    """A named limit. `limit` is in base units (seconds, bytes, share 0..1, plain number); `is` means "must be true"."""

    name: str
    kind: str
    sign: Literal["<", "<=", ">", ">=", "is"]
    limit: float
    unit: str

    def holds(self, value: float) -> bool:
        """Whether a value in base units is on the good side."""
        return {
            "<": value < self.limit,
            "<=": value <= self.limit,
            ">": value > self.limit,
            ">=": value >= self.limit,
            "is": bool(value),
        }[self.sign]

    def shown(self, value: float) -> float:
        """A value in base units, in the criterion's own unit."""
        return round(value / _SCALES[self.unit], 6)

    @property
    def text(self) -> str:
        """The limit as one writes it: `< 2000ms`, `true`."""
        if self.sign == "is":
            return "true"
        return f"{self.sign} {self.shown(self.limit):g}{self.unit}"

    @property
    def worst_share(self) -> float:
        """For a rate: the share of failures that the limit allows (`> 98%` success → 0.02, `< 1%` errors → 0.01)."""
        return round(1 - self.limit if self.sign.startswith(">") else self.limit, 12)


def parse(kind: str, entry: Any, where: str) -> Criterion:
    """One entry: `"error_rate < 1%"` or `{all_providers_healthy: true}`. Raises CriteriaError."""
    if isinstance(entry, dict) and len(entry) == 1:
        name, wanted = next(iter(entry.items()))
        if wanted is True:
            return Criterion(str(name), kind, "is", 1.0, "")
    elif isinstance(entry, str) and (match := _NOTATION.fullmatch(entry.strip())):
        name, unit = match["name"], match["unit"]
        if name is not None and unit in _SCALES:
            return Criterion(name, kind, match["sign"], float(match["number"]) * _SCALES[unit], unit)  # type: ignore[arg-type]  # the pattern allows these four only
    raise CriteriaError(
        f"{where}: cannot read {entry!r}: write `name < 2000ms`, `name > 95%`, `name < 1GB` or `name: true`"
    )


def _read(section: str, source: Path) -> dict[str, Criterion]:
    found: dict[str, Criterion] = {}
    for kind, entries in yaml.safe_load(source.read_text("utf-8"))[section].items():
        for entry in entries:
            criterion = parse(kind, entry, source.name)
            if criterion.name in found:
                raise CriteriaError(f"{source.name}: {criterion.name} stands there twice")
            found[criterion.name] = criterion
    return found


def criteria(overrides: dict[str, str | bool], *, where: str, source: Path = SOURCE) -> dict[str, Criterion]:
    """All criteria by name, with the target's own limits in place of the file's.

    `overrides` maps a name to `"< 2500ms"` (or to `true`); `where` is the target file, for errors. Raises
    CriteriaError for an unknown name, an unreadable limit, or a limit of another dimension.
    """
    found = _read("criteria", source)
    for name, limit in overrides.items():
        if name not in found:
            raise CriteriaError(
                f"{where}: criteria.{name}: no such criterion; there are {', '.join(sorted(found))}"
            )
        entry = {name: True} if limit is True else f"{name} {limit}"
        changed = parse(found[name].kind, entry, f"{where}: criteria.{name}")
        if _dimension(changed) != _dimension(found[name]):
            raise CriteriaError(
                f"{where}: criteria.{name}: write it like {found[name].text!r}, not {limit!r}"
            )
        found[name] = changed
    return found


def triggers(source: Path = SOURCE) -> dict[str, Criterion]:
    """The runbook's triggers by name; `kind` is the emergency scenario."""
    return _read("triggers", source)


def _dimension(criterion: Criterion) -> tuple[str, str]:
    family = {"ms": "time", "s": "time", "%": "share", "kB": "size", "MB": "size", "GB": "size", "B": "size"}
    return criterion.sign[0], family.get(criterion.unit, "number")
