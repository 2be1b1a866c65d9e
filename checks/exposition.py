"""Prometheus' text format: reading what `/metrics` exposes."""

import re

import msgspec

_SAMPLE = re.compile(
    r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?P<labels>.*)\})?\s+(?P<value>\S+)(?:\s+-?\d+)?\s*"
)
_LABEL = re.compile(r'\s*(?P<name>[a-zA-Z_][a-zA-Z0-9_]*)="(?P<value>(?:[^"\\]|\\.)*)"\s*(?:,|$)')
_TYPE = re.compile(r"#\s*TYPE\s+(?P<name>\S+)\s+(?P<type>\S+)\s*")


class MetricsError(ValueError):
    """A text that is not in Prometheus' format; names the line."""


class Sample(msgspec.Struct, frozen=True):
    """One time series at one moment."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float

    @property
    def series(self) -> str:
        """Name and labels, as one writes them."""
        inside = ",".join(f'{name}="{value}"' for name, value in self.labels)
        return f"{self.name}{{{inside}}}" if inside else self.name


class Metrics(msgspec.Struct, frozen=True):
    """Everything exposed at one moment; `types` by the metric's name as declared."""

    samples: tuple[Sample, ...]
    types: dict[str, str]

    def value(self, name: str) -> float | None:
        """The sum over all series of that name, None when there is none."""
        values = [sample.value for sample in self.samples if sample.name == name]
        return sum(values) if values else None

    def counters(self, word: str) -> dict[str, float]:
        """Series → value of every counter (histograms' `_count` too) with the word in its metric's name."""
        return {
            sample.series: sample.value
            for sample in self.samples
            if word in sample.name and self._counts(sample.name)
        }

    def _counts(self, name: str) -> bool:
        base = name.removesuffix("_total").removesuffix("_count")
        return "counter" in (self.types.get(name), self.types.get(base)) or (
            name.endswith("_count") and self.types.get(base) in ("histogram", "summary")
        )


def parse(text: str) -> Metrics:
    """Read an exposition. Raises MetricsError, also for one without a single sample."""
    samples: list[Sample] = []
    types: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if match := _TYPE.fullmatch(line):
            types[match["name"]] = match["type"]
        elif line.strip() and not line.startswith("#"):
            samples.append(_sample(line, number))
    if not samples:
        raise MetricsError("no metrics in it")
    return Metrics(tuple(samples), types)


def _sample(line: str, number: int) -> Sample:
    match = _SAMPLE.fullmatch(line)
    if match is None:
        raise MetricsError(f"line {number} is no metric: {line[:80]!r}")
    labels, rest = [], match["labels"] or ""
    while rest.strip():
        label = _LABEL.match(rest)
        if label is None:
            raise MetricsError(f"line {number} has labels that cannot be read: {rest[:80]!r}")
        labels.append((label["name"], label["value"]))
        rest = rest[label.end() :]
    try:
        return Sample(match["name"], tuple(labels), float(match["value"]))
    except ValueError:
        raise MetricsError(f"line {number} has no number as its value: {line[:80]!r}") from None
