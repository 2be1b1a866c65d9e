"""What an interpreter has installed, and whether that is consistent: asked of itself, without pip."""

import msgspec
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

from target.errors import HostError
from target.host import Host

_ASK_S = 60.0

# A name that is there twice has both versions; what has no name is left of a broken installation, and is told by its
# folder.
_ASK = """
import importlib.metadata as metadata, json, os, platform, re, sys
found, requires = {}, {}
for dist in metadata.distributions():
    name = (dist.metadata or {}).get("Name")
    if name:
        name = re.sub("[-_.]+", "-", name).lower()
    else:
        name = "broken: " + getattr(getattr(dist, "_path", None), "name", "?")
    version = (dist.metadata or {}).get("Version") or "no version"
    try:
        if json.loads(dist.read_text("direct_url.json") or "{}").get("dir_info", {}).get("editable"):
            version += " (editable)"
    except ValueError:
        version += " (direct_url.json is broken)"
    found.setdefault(name, set()).add(version)
    requires.setdefault(name, []).extend((dist.metadata and dist.metadata.get_all("Requires-Dist")) or [])
marks = {
    "implementation_name": sys.implementation.name,
    "implementation_version": platform.python_version(),
    "os_name": os.name,
    "platform_machine": platform.machine(),
    "platform_python_implementation": platform.python_implementation(),
    "platform_release": platform.release(),
    "platform_system": platform.system(),
    "platform_version": platform.version(),
    "python_full_version": platform.python_version(),
    "python_version": ".".join(platform.python_version_tuple()[:2]),
    "sys_platform": sys.platform,
}
print(json.dumps({
    "python": platform.python_version(),
    "packages": {name: " and ".join(sorted(versions)) for name, versions in sorted(found.items())},
    "requires": requires,
    "marks": marks,
    "base": getattr(sys, "_base_executable", None) or sys.executable,
}))
"""


class Installed(msgspec.Struct, frozen=True):
    """`packages` maps normalised names to versions; an editable one's ends with ` (editable)`.

    `requires` are the requirements that each package declares, `marks` what environment markers are evaluated with,
    `base` the interpreter that the virtualenv was made from.
    """

    python: str
    packages: dict[str, str]
    requires: dict[str, list[str]]
    marks: dict[str, str]
    base: str


def installed(host: Host, interpreter: str) -> Installed:
    """Ask an interpreter on the host. Raises HostError with its last words when it cannot tell."""
    ran = host.run([interpreter, "-I", "-B", "-c", _ASK], timeout_s=_ASK_S)
    try:
        return msgspec.json.decode(ran.stdout, type=Installed)
    except msgspec.DecodeError:
        said = (ran.stderr.strip() or f"status {ran.status}").splitlines()[-1]
        raise HostError(f"{interpreter} on {host.url} cannot list its packages: {said}") from None


def unmet(found: Installed) -> list[str]:
    """What `pip check` would complain of: requirements of the packages that are not met, in words."""
    return [
        f"{name} needs {requirement}, {has}"
        for name, lines in found.requires.items()
        for line in lines
        for requirement, has in _lacking(found, line)
    ]


def asked_for(found: Installed, requirements: str) -> tuple[list[str], list[str]]:
    """What a list of requirements (pip's format) asks for and is not there, and the lines that this cannot judge."""
    lacking, unknown = [], []
    for line in _logical_lines(requirements):
        words = line.partition(" --hash")[0].strip()
        if words.startswith("-"):
            if not words.startswith(
                ("--hash", "--index-url", "-i ", "--extra-index-url", "--find-links", "-f ")
            ):
                unknown.append(words)
            continue
        try:
            lacking += [f"{requirement}, {has}" for requirement, has in _lacking(found, words)]
        except InvalidRequirement:
            unknown.append(words)
    return lacking, unknown


def _lacking(found: Installed, line: str) -> list[tuple[Requirement, str]]:
    requirement = Requirement(line)
    if requirement.marker is not None and not requirement.marker.evaluate({**found.marks, "extra": ""}):
        return []
    version = found.packages.get(canonicalize_name(requirement.name))
    if version is None:
        return [(requirement, "which is not there")]
    try:
        if requirement.specifier.contains(version.partition(" (")[0], prereleases=True):
            return []
    except InvalidVersion:
        pass  # twice there, or of no version: it is told as it is
    return [(requirement, f"which is there as {version}")]


def _logical_lines(text: str) -> list[str]:
    """Without comments and continuations."""
    lines = text.replace("\\\n", " ").splitlines()
    bare = (line.partition(" #")[0].strip() for line in lines if not line.lstrip().startswith("#"))
    return [line for line in bare if line]
