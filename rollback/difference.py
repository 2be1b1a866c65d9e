"""What differs between what is there now and a record: served version, code, packages, environment, image."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import msgspec

from rollback.site import Site
from target import capture
from target import choice as choices
from target.api import Health
from target.errors import TargetError
from target.record import Record

Part = Literal["version", "code", "packages", "environment", "image"]
_SHORTEST_REVISION = 7


class Difference(msgspec.Struct, frozen=True):
    """One part that is not as recorded, and how, in words without a value of the environment."""

    part: Part
    says: str


class Comparison(msgspec.Struct, frozen=True):
    """What differs, and what could not be told, each naming why. `compared` are the parts that record and target have.

    A record of a part that the target does not offer is neither.
    """

    differs: tuple[Difference, ...]
    untold: tuple[Difference, ...]
    compared: tuple[Part, ...]

    @property
    def same(self) -> bool:
        """Whether all is as recorded, and that is known."""
        return not self.differs and not self.untold

    def parts(self) -> set[Part]:
        """The parts that differ, or cannot be told to be right: a broken virtualenv cannot list its packages."""
        return {each.part for each in (*self.differs, *self.untold)}

    def says(self) -> str:
        """Everything that differs or could not be told, in one line."""
        return "; ".join(each.says for each in (*self.differs, *self.untold))


def compare(site: Site, record: Record, health: Health | None) -> Comparison:
    """Compare what is there with the record; asks nobody but the host. `health` None: nothing is served."""
    looks: tuple[tuple[Part, Callable[[], str | None]], ...] = (
        ("version", lambda: _version(record, health)),
        ("code", lambda: _code(site, record)),
        ("packages", lambda: _packages(site, record)),
        ("environment", lambda: _environment(site, record)),
        ("image", lambda: _image(site, record)),
    )
    with ThreadPoolExecutor(len(looks)) as pool:
        found = list(pool.map(lambda each: _look(*each), looks))
    told = [each for each in found if each is not None]
    return Comparison(
        differs=tuple(each for each, known in told if known and each.says),
        untold=tuple(each for each, known in told if not known),
        compared=tuple(each.part for each, known in told if known),
    )


def _look(part: Part, look: Callable[[], str | None]) -> tuple[Difference, bool] | None:
    """What differs (nothing: empty), or why that is not known; None where there is nothing to compare."""
    try:
        says = look()
    except TargetError as error:
        return Difference(part, f"{part} cannot be compared: {error}"), False
    return None if says is None else (Difference(part, says), True)


def version_differs(record: Record, health: Health) -> list[str]:
    """What the record says of version and revision that `/health` does not say."""
    wrong = []
    if record.version and health.version != record.version:
        wrong.append(f"version {record.version}")
    if record.revision and health.revision and not same_revision(health.revision, record.revision):
        wrong.append(f"revision {record.revision[:7]}")
    return wrong


def same_revision(one: str, other: str) -> bool:
    """A revision may be given in full or cut short."""
    shorter = min(len(one), len(other))
    return shorter >= _SHORTEST_REVISION and one[:shorter] == other[:shorter]


def served(health: Health) -> str:
    """`2.3.1 a1b2c3d`, as far as `/health` tells."""
    return " ".join(text for text in (health.version, (health.revision or "")[:7]) if text) or "no version"


def _version(record: Record, health: Health | None) -> str | None:
    """None: not to be compared; empty: as recorded."""
    if health is None or not (record.version or record.revision):
        return None
    wrong = version_differs(record, health)
    return f"serves {served(health)}, expected is {' '.join(wrong)}" if wrong else ""


def _code(site: Site, record: Record) -> str | None:
    if record.code is None or site.target.code is None:
        return None
    found = capture.code(site.target, site.host)
    if found.tree_sha256 == record.code.tree_sha256:
        return ""
    names = sorted(
        name
        for name in record.code.files.keys() | found.files.keys()
        if record.code.files.get(name) != found.files.get(name)
    )
    return f"code is not that of {record.name}: {_some(names) or 'modes differ'}"


def _packages(site: Site, record: Record) -> str | None:
    if record.packages is None or site.target.virtualenv is None:
        return None
    python, found = capture.packages(site.target, site.host)
    names = sorted(
        name for name in record.packages.keys() | found.keys() if record.packages.get(name) != found.get(name)
    )
    if record.python is not None and python != record.python:
        names.append(f"Python {python}")
    return f"packages are not those of {record.name}: {_some(names)}" if names else ""


def _environment(site: Site, record: Record) -> str | None:
    settings = site.target.environment
    if record.environment is None or settings is None:
        return None
    keyed = site.records.keyed_hash(site.host.read(settings.file))
    if keyed == record.environment.file_hmac or chosen(site, record):
        return ""
    others = [
        other.name
        for other in site.records.all()
        if other.environment and other.environment.file_hmac == keyed
    ]
    whose = f"that of {others[0]}" if others else "of no record"
    return f"{settings.file} is not the recorded one of {record.name} but {whose}"


def chosen(site: Site, record: Record) -> str:
    """The deliberate choice of providers, where it is all in which the environment differs; else empty."""
    choice = choices.in_force(site.target, site.host)
    apart = choices.variables(site.target)
    if choice is None or record.environment is None or not apart:
        return ""
    now = capture.environment(site.target, site.host, site.records).values
    same = choices.apart_from(now, apart) == choices.apart_from(record.environment.values, apart)
    return choice.says if same and now != record.environment.values else ""


def _image(site: Site, record: Record) -> str | None:
    if record.image_digest is None or site.controller is None:
        return None
    digest = site.controller.image_digest()
    if digest is None:
        return None
    if digest == record.image_digest:
        return ""
    return f"image is {digest[:19]}, that of {record.name} is {record.image_digest[:19]}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
