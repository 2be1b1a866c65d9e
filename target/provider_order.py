"""Which providers the service uses for each operation, and in which order: as it is told, and as it says itself."""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any, Literal

import msgspec

from target import environment
from target.api import Answer
from target.description import ProviderSettings, Target
from target.errors import TargetError
from target.host import Host

Operation = Literal["stt", "tts"]
OPERATIONS: tuple[Operation, ...] = ("stt", "tts")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class OrderError(TargetError):
    """The file that tells the service its providers cannot be understood; says where and why, without values."""


class Order(msgspec.Struct, frozen=True):
    """Names of the providers that are enabled for each operation, the first in turn first."""

    stt: tuple[str, ...]
    tts: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Every provider that is enabled for something, each once."""
        return tuple(dict.fromkeys((*self.stt, *self.tts)))

    def of(self, operation: Operation) -> tuple[str, ...]:
        """Those of one operation."""
        return self.stt if operation == "stt" else self.tts

    def with_first(self, first: str, *, without: Collection[str]) -> "Order":
        """The same order with that one first for both operations, and without those."""
        return Order(
            *(
                (first, *(name for name in self.of(each) if name != first and name not in without))
                for each in OPERATIONS
            )
        )

    def __str__(self) -> str:
        """`openai, yandex`, or both operations where they differ."""
        if self.stt == self.tts:
            return ", ".join(self.stt)
        return f"{', '.join(self.stt)} for STT and {', '.join(self.tts)} for TTS"


class Entry(msgspec.Struct, frozen=True):
    """A provider in a file of settings."""

    enabled: bool
    priority: int


class _Priorities(msgspec.Struct, frozen=True):
    stt_priority: int | None = None
    tts_priority: int | None = None


class _Told(msgspec.Struct, frozen=True):
    providers: dict[str, _Priorities] = {}


def settings_of(target: Target) -> ProviderSettings:
    """How the service is told its providers. Raises TargetError when the target does not say."""
    if target.provider_settings is None:
        raise TargetError(
            f"{target.source or target.name}: no `provider_settings`: say how the service is told its providers (two "
            "variables of its environment file, or a file of its own)"
        )
    return target.provider_settings


def path_of(target: Target) -> str:
    """The file that tells the service its providers: their own, else the environment file. Raises TargetError."""
    settings = settings_of(target)
    if settings.file is not None:
        return settings.file
    if target.environment is None:
        raise TargetError(
            f"{target.source or target.name}: no `environment`, which `provider_settings` is about"
        )
    return target.environment.file


def in_place(target: Target, host: Host) -> Order:
    """The order that the file in place tells the service. Raises HostError, OrderError, TargetError."""
    return order_of(host.read(path_of(target)), target)


def order_of(content: bytes, target: Target) -> Order:
    """The order in the bytes of that file. Raises OrderError."""
    settings = settings_of(target)
    if settings.file is not None:
        listed = entries(content, settings)
        return Order(*(_by_priority(listed[operation]) for operation in OPERATIONS))
    assert target.environment is not None
    reading = environment.read(content, target.environment.reader)
    if reading.faults:
        raise OrderError(f"{target.environment.file} cannot be used: {reading.faults[0]}")
    standard = tuple(provider.name for provider in target.providers)
    return Order(
        *(_listed(name, reading.variables, standard, target.environment.file) for name in keys_of(settings))
    )


def keys_of(settings: ProviderSettings) -> tuple[str, str]:
    """The names of the two variables, or of the two mappings, in the order of OPERATIONS."""
    return settings.stt, settings.tts


def entries(content: bytes, settings: ProviderSettings) -> dict[Operation, dict[str, Entry]]:
    """What a file of settings has for each operation: name → entry, as listed. Raises OrderError."""
    data = parse(content, settings)
    found: dict[Operation, dict[str, Entry]] = {}
    for operation, key in zip(OPERATIONS, keys_of(settings), strict=True):
        try:
            found[operation] = msgspec.convert(data.get(key), dict[str, Entry])
        except msgspec.ValidationError as error:
            raise OrderError(
                f"{settings.file}: {key} must map each provider to `enabled` and `priority`: {error}"
            ) from None
    return found


def parse(content: bytes, settings: ProviderSettings) -> dict[str, Any]:
    """The mapping in a YAML or JSON file, told by its name. Raises OrderError."""
    import yaml

    try:
        text = content.decode()
        data = json.loads(text) if is_json(settings) else yaml.safe_load(text)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else getattr(error, "lineno", None)
        raise OrderError(
            f"{settings.file}: cannot be read{f' (line {line})' if line else ''}: {type(error).__name__}"
        ) from None
    if not isinstance(data, dict):
        raise OrderError(f"{settings.file}: holds no mapping of settings")
    return data


def is_json(settings: ProviderSettings) -> bool:
    """Whether the file of settings is JSON; else YAML."""
    return (settings.file or "").endswith(".json")


def told_by(answer: Answer) -> dict[str, dict[str, int | None]] | None:
    """Each provider's priorities as `/health` tells them (`stt_priority`, `tts_priority`); None where it does not."""
    try:
        told = msgspec.json.decode(answer.body, type=_Told).providers
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    order = {name: msgspec.structs.asdict(each) for name, each in told.items()}
    known = any(priority is not None for each in order.values() for priority in each.values())
    return order if known else None


def order_told_by(answer: Answer) -> Order | None:
    """The order that the service says that it uses; None where `/health` does not tell."""
    told = told_by(answer)
    if told is None:
        return None
    turns = []
    for operation in OPERATIONS:
        ranked = [(each[f"{operation}_priority"], name) for name, each in told.items()]
        turns.append(tuple(name for priority, name in sorted((p, n) for p, n in ranked if p is not None)))
    return Order(*turns)


def _listed(name: str, variables: Mapping[str, str], standard: tuple[str, ...], file: str) -> tuple[str, ...]:
    """The names in a variable; the service's own order, which is that of the target, where it is empty or absent."""
    value = variables.get(name, "").strip()
    if not value:
        return standard
    names = tuple(part.strip().lower() for part in value.split(","))
    if any(not NAME.fullmatch(part) for part in names) or len(set(names)) != len(names):
        raise OrderError(f"{file}: {name} is not a list of providers, each once, with commas between")
    return names


def _by_priority(listed: dict[str, Entry]) -> tuple[str, ...]:
    enabled = [name for name, entry in listed.items() if entry.enabled]
    return tuple(sorted(enabled, key=lambda name: listed[name].priority))
