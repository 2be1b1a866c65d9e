"""The compose project as the compose program itself reads it, and the one edit that changes one service's image."""

from pathlib import PurePosixPath
from typing import Any

import msgspec

from rollback.actions.containers import span
from rollback.actions.containers.span import Edit, NoPlaceError
from rollback.errors import Refused
from rollback.readiness import ask_health
from rollback.site import Site
from target.compose import ComposeService, Container
from target.errors import ApiError, HostError

_OTHERS = r"""
docker ps --all --filter "label=com.docker.compose.service=$1" \
  --format '{{.Label "com.docker.compose.project"}} in {{.Label "com.docker.compose.project.working_dir"}}'
"""


class Pinned(msgspec.Struct, frozen=True, kw_only=True):
    """`edit` makes `content`, the bytes of `file`, give the service its new image; `before` is the image it names."""

    file: str
    content: bytes
    edit: Edit
    before: str


class Project:
    """The files of the target's compose project on its host, read once."""

    def __init__(self, site: Site, service: ComposeService) -> None:
        self.site = site
        self.service = service
        self.contents: dict[str, bytes] = {}
        self.profiles: list[str] = []

    def config(self, proposed: tuple[str, bytes] | None = None) -> dict[str, Any]:
        """What the compose program makes of the files, or of them with one `proposed`. Raises HostError, Refused."""
        if not self.contents:
            self._read()
        return self.service.config(self.profiles, proposed=proposed)

    def _read(self) -> None:
        found: set[str] = set()
        for file in self.service.files:
            content = self.site.host.read(file)
            try:
                found |= span.profiles(content)
            except NoPlaceError as error:
                raise Refused(f"{file} on {self.site.host.url}: {error}; nothing was changed") from None
            self.contents[file] = content
        self.profiles = sorted(found)

    def pin(self, config: dict[str, Any], image: str) -> Pinned:
        """The edit after which exactly the service's image is another, as the compose program sees it. Raises Refused.

        The file whose own image wins is the first choice; else the service gets one of its own, where it is described.
        """
        name = self.service.name
        before = _services(config).get(name)
        if before is None:
            raise Refused(
                f"{', '.join(self.contents)} on {self.site.host.url}: no service {name}; correct "
                "service.compose in the target; nothing was changed"
            )
        wanted = {**config, "services": {**_services(config), name: {**before, "image": image}}}
        why: list[str] = []
        for file, edit in self._candidates(name, image, why):
            try:
                seen = self.config((file, edit.of(self.contents[file])))
            except HostError as error:
                why.append(f"{file}: {error}")
                continue
            if seen == wanted:
                return Pinned(
                    file=file, content=self.contents[file], edit=edit, before=str(before.get("image", ""))
                )
            why.append(f"{file}: {_instead(seen, wanted, name)}")
        raise Refused(
            f"the image of {name} cannot be pinned by itself: {'; '.join(why)}. Nothing was changed; give {name} an "
            "image of its own there, then run again"
        )

    def _candidates(self, name: str, image: str, why: list[str]) -> list[tuple[str, Edit]]:
        edits = []
        for file, content in self.contents.items():
            try:
                edits.append((file, span.edit(content, name, image)))
            except NoPlaceError as error:
                why.append(f"{file}: {error}")
        own = [each for each in edits if each[1].own]
        return [*reversed(own), *(each for each in edits if not each[1].own)]

    def check_container(self) -> Container | None:
        """The service's one container; that it is this project's is proven by its labels. Raises Refused."""
        name, host = self.service.name, self.site.host
        try:
            container = self.service.container()
            if container is not None:
                return self._ours(container)
            others = host.must(["sh", "-c", _OTHERS, "sh", name]).split("\n")[:-1]
        except HostError as error:
            raise Refused(f"the service could not be restarted, so nothing was changed: {error}") from error
        if others and self._may_be_meant([other.partition(" in ")[2] for other in others]):
            raise Refused(
                f"{name} has no container in the project of {self.service.files[0]} on {host.url}, but there is one of "
                f"the project {' and '.join(sorted(set(others)))}: correct service.compose.project or .file in the "
                "target; nothing was changed"
            )
        return None

    def _may_be_meant(self, folders: list[str]) -> bool:
        """Whether a container of other projects, made in those folders, may be the one that the target is about.

        Another deployment has its files elsewhere, and does not answer at the target's `api.url`.
        """
        own, *others = self.site.host.must(
            ["realpath", "-m", "--", str(PurePosixPath(self.service.files[0]).parent), *folders]
        ).splitlines()
        if own in others:
            return True
        try:
            ask_health(self.site)
        except ApiError:
            return False
        return True

    def _ours(self, container: Container) -> Container:
        """Compose's own labels say of which files a container was made (1.29 as they were typed)."""
        folder = container.label("project.working_dir")
        named = container.label("project.config_files").split(",")
        made_of = [file if file.startswith("/") else f"{folder}/{file}" for file in named if file]
        files = list(self.service.files)
        same = self.site.host.must(["realpath", "-m", "--", *made_of, *files]).splitlines()
        if made_of and same[: len(made_of)] != same[len(made_of) :]:
            raise Refused(
                f"the container of {self.service.name} on {self.site.host.url} was made from {', '.join(made_of)}, and "
                f"the target means {', '.join(files)}: correct service.compose (file, overrides, project) in the "
                "target; nothing was changed"
            )
        return container


def _services(config: dict[str, Any]) -> dict[str, Any]:
    services = config.get("services")
    return services if isinstance(services, dict) else {}


def _instead(seen: dict[str, Any], wanted: dict[str, Any], name: str) -> str:
    """What a change would do that it should not, without any value."""
    now, then = _services(seen), _services(wanted)
    reached = sorted(other for other in {*now, *then} if other != name and now.get(other) != then.get(other))
    if reached:
        return f"the change would reach {', '.join(reached)} too"
    if now.get(name, {}).get("image") != then[name]["image"]:
        return "another image would win"
    return "the change would reach more than the image"
