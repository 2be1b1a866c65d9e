"""Which action brings back what differs from a record."""

from rollback.catalogue import OFFERS
from rollback.difference import Comparison
from rollback.site import Site

# The order in which a set goes back: code, packages, environment, image.
ORDER = ("git", "files", "virtualenv", "environment", "containers")


def remedies(site: Site, found: Comparison) -> list[str]:
    """The actions for what differs, in the order of a set; code by git where the checkout is a repository.

    A served version that nothing else explains is cured by what brings the code: the image where there are containers.
    """
    parts = found.parts()
    explained = parts & {"code", "image"} or (
        parts != {"version"} and {"code", "image"} & set(found.compared)
    )
    unexplained = "version" in parts and not explained
    target = site.target
    contained = target.service is not None and target.service.compose is not None
    wanted = set()
    if "image" in parts or (unexplained and contained):
        wanted.add("containers")
    if "code" in parts or (unexplained and not contained):
        wanted |= _code(site)
    if "packages" in parts:
        wanted.add(_packages(site, wanted))
    if "environment" in parts:
        wanted.add("environment")
    return [name for name in ORDER if name in wanted and name in OFFERS]


def _code(site: Site) -> set[str]:
    if site.target.code is None:
        return set()
    there = site.host.facts(f"{site.target.code.checkout.rstrip('/')}/.git")
    return {"git" if there is not None else "files"}


def _packages(site: Site, wanted: set[str]) -> str:
    """Without a backup of the virtualenv, a new one is made from the requirements of the backup of the code."""
    backed_up = site.target.virtualenv is not None and site.target.virtualenv.backup is not None
    from_files = site.target.code is not None and site.target.code.backups is not None and "git" not in wanted
    return "files" if from_files and not backed_up else "virtualenv"
