"""The image to go back to: which one, that it is the recorded one, and how it is named so that it stays that one."""

import re

import msgspec

from rollback.destination import destination
from rollback.errors import Refused
from rollback.site import Site
from rollback.step import Finding
from target.errors import HostError, RecordError
from target.record import Record, describe

# A line a reference: what the engine has under that name, or null.
_INSPECT = r"""
for name; do
  found=$(docker image inspect --format '{{json .}}' "$name" 2>/dev/null) || found=null
  printf '%s\n' "$found"
done
"""
_REGISTRY_S = 30.0
_SAID = 300  # of what a registry says
_LOCAL = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?/")
_THEN = "nothing was changed; name another image or record with --to"
_ID = re.compile(r"sha256:[0-9a-f]{64}")


class Image(msgspec.Struct, frozen=True, rename="pascal"):
    """What `docker image inspect` says, as far as it matters here."""

    id: str
    repo_digests: list[str] | None = None


class _Config(msgspec.Struct, frozen=True):
    digest: str


class _Manifest(msgspec.Struct, frozen=True):
    config: _Config


class _Platform(msgspec.Struct, frozen=True):
    architecture: str = ""
    os: str = ""


class _Descriptor(msgspec.Struct, frozen=True):
    digest: str
    platform: _Platform = _Platform()


class _Offered(msgspec.Struct, frozen=True):
    """An entry of `docker manifest inspect --verbose`: one platform's image."""

    descriptor: _Descriptor = msgspec.field(name="Descriptor")
    v2: _Manifest | None = msgspec.field(name="SchemaV2Manifest", default=None)
    oci: _Manifest | None = msgspec.field(name="OCIManifest", default=None)

    @property
    def id(self) -> str | None:
        manifest = self.v2 or self.oci
        return manifest.config.digest if manifest else None


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """`image` is the ID; `pin` names it so that no tag can move it; `pull` is what to pull, empty when it is there.

    `named`: the image itself was named by the person, rather than found by its record.
    """

    image: str
    pin: str
    pull: str
    record: Record | None
    named: bool
    findings: tuple[Finding, ...]


def images(site: Site, *names: str) -> list[Image | None]:
    """What the host's engine has under each name (a reference or an ID)."""
    ran = site.host.shell(_INSPECT, *names)
    try:
        return [msgspec.json.decode(line, type=Image | None) for line in ran.stdout.splitlines()]
    except msgspec.DecodeError as error:
        raise HostError(f"{site.host.url}: docker image inspect answered something else: {error}") from None


def find(site: Site, previous: str | None, to: str | None, given: Record | None) -> Destination:
    """Where to go: the `given` record (of a set), `to` (a record, or else an image), or the newest healthy record.

    `previous` is the target's image to go back to: it says from where a record's image can be had. Raises Refused.
    """
    record, reference, doubts = _wanted(site, previous, to, given)
    named = record is None and to is not None
    wanted = record.image_digest if record else None
    if record is not None and wanted is None:
        raise Refused(f"the record {record.name} knows no image: {_THEN}")
    by_id, by_name = images(site, wanted or reference or "", reference or wanted or "")
    here = by_id if wanted else by_name
    if here is not None:
        found = _present(here, by_name, reference)
    else:
        found = _remote(site, reference, wanted, by_name, record)
    if record is None:
        record = next((each for each in site.records.all() if each.image_digest == found.image), None)
        if record is not None and record.state == "bad":
            if not named:
                raise Refused(f"{reference} is the image of {describe(record)}, which is marked bad: {_THEN}")
            doubts.append(Finding(f"its record is marked bad: {record.why_bad or record.name}", doubt=True))
    return msgspec.structs.replace(found, record=record, named=named, findings=(*doubts, *found.findings))


def _wanted(
    site: Site, previous: str | None, to: str | None, given: Record | None
) -> tuple[Record | None, str | None, list[Finding]]:
    """The record, the reference, and what is doubtful."""
    if given is not None:
        return given, previous, []
    if to is not None and (set(to) & set("/:@") or not _is_record(site, to)):
        return None, to, []
    if to is not None or any(record.state == "healthy" for record in site.records.all()):
        return destination(site, to), previous, []
    if previous is None:
        raise Refused(
            f"no healthy record on {site.host.url} and no service.compose.previous in the target say what to go back "
            "to: name an image with --to; nothing was changed"
        )
    return (
        None,
        previous,
        [Finding("no healthy record: the image is taken for what its name says", doubt=True)],
    )


def _is_record(site: Site, name: str) -> bool:
    try:
        site.records.get(name)
    except RecordError:
        return False
    return True


def _present(here: Image, by_name: Image | None, reference: str | None) -> Destination:
    """An image that the host has: by its registry's digest where that is known, else by its ID."""
    findings = [Finding(f"image {here.id[7:19]} is on the host")]
    tag = reference
    if reference is not None and by_name is not None and by_name.id != here.id:
        tag = repository(reference)  # its tag would say something that is no longer so
        findings.append(
            Finding(f"{reference} has moved to {by_name.id[7:19]}; pinned is what was recorded", doubt=True)
        )
    elif reference is not None and by_name is None:
        tag = repository(reference)
    digests = {_familiar(each.partition("@")[0]): each.partition("@")[2] for each in here.repo_digests or []}
    digest = digests.get(_familiar(repository(tag))) if tag else None
    if tag is not None and digest is not None:
        pin = f"{tag.partition('@')[0]}@{digest}"
    elif len(digests) == 1 and tag is None:
        pin = "@".join(next(iter(digests.items())))
    else:
        pin = here.id
    return _destination(here.id, pin, "", findings)


def _remote(
    site: Site, reference: str | None, wanted: str | None, by_name: Image | None, record: Record | None
) -> Destination:
    """An image that has to be pulled: the registry is asked first what it has under that name."""
    whose = f"the image of {record.name}, {wanted}," if record else f"{reference}"
    elsewhere = f"; {reference} there is {by_name.id}" if by_name is not None else ""
    if reference is None or _ID.fullmatch(reference):
        raise Refused(
            f"{whose} is not on {site.host.url}, and service.compose.previous does not say where to pull it from: "
            f"{_THEN}"
        )
    try:
        digest, image = _offered(site, reference, wanted)
    except HostError as error:
        raise Refused(f"{whose} is not on {site.host.url}{elsewhere}, and {error}; {_THEN}") from error
    if wanted is not None and image != wanted:
        raise Refused(
            f"{reference} has moved: the registry has {image} there, and the record {record.name if record else ''} "
            f"has {wanted}, which is not on {site.host.url}; {_THEN}, by its digest"
        )
    pin = f"{reference.partition('@')[0]}@{digest}"
    return _destination(
        image, pin, f"{repository(reference)}@{digest}", [Finding(f"the registry has image {image[7:19]}")]
    )


def _offered(site: Site, reference: str, wanted: str | None) -> tuple[str, str]:
    """Digest and image ID that the registry has under that name for this host. Raises HostError."""
    insecure = ["--insecure"] if _LOCAL.match(reference) else []  # as the engine itself treats these
    name, _, digest = reference.partition("@")
    asked = f"{repository(name)}@{digest}" if digest else name  # with both, docker manifest stumbles
    ran = site.host.run(
        ["docker", "manifest", "inspect", "--verbose", *insecure, asked], timeout_s=_REGISTRY_S
    )
    if not ran.ok:
        said = (ran.stderr.strip().splitlines() or ["no answer"])[-1][:_SAID]
        raise HostError(f"the registry does not give {reference}: {said}")
    offers: list[_Offered] = []
    try:
        found = msgspec.json.decode(ran.stdout, type=_Offered | list[_Offered])
        offers = found if isinstance(found, list) else [found]
    except msgspec.DecodeError as error:
        raise HostError(f"the registry's answer for {reference} cannot be understood: {error}") from None
    if len(offers) > 1:
        mine = site.host.must(["docker", "version", "--format", "{{.Server.Os}}/{{.Server.Arch}}"]).strip()
        offers = [
            each
            for each in offers
            if f"{each.descriptor.platform.os}/{each.descriptor.platform.architecture}" == mine
        ]
    offered = next((each for each in offers if each.id == wanted), offers[0] if offers else None)
    if offered is None or offered.id is None:
        raise HostError(f"the registry has no image for this kind of machine under {reference}")
    return offered.descriptor.digest, offered.id


def _destination(image: str, pin: str, pull: str, findings: list[Finding]) -> Destination:
    return Destination(image=image, pin=pin, pull=pull, record=None, named=False, findings=tuple(findings))


def short(pin: str) -> str:
    """A pin as a person reads it: the tag where it has one, else the beginning of the ID."""
    name = pin.partition("@")[0]
    return name[:19] if _ID.fullmatch(name) else name


def repository(reference: str) -> str:
    """The reference without tag and digest."""
    name = reference.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def _familiar(name: str) -> str:
    return name.removeprefix("docker.io/").removeprefix("library/")
