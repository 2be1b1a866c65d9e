"""The action `containers`, Level 3: pin the previous image in the compose file, make the container anew, prove it."""

from typing import Any

import msgspec

from rollback import migration
from rollback.action import Action, Survey
from rollback.actions.containers.image import Destination, find, images, short
from rollback.actions.containers.project import Pinned, Project
from rollback.actions.containers.steps import ContainersPlan, Pin, Pull
from rollback.errors import Refused, StepFailed
from rollback.journal import Story
from rollback.onefile import Files, SetAside, in_place
from rollback.proof import Prove
from rollback.readiness import ready, started
from rollback.site import Site
from rollback.step import Finding, Step
from target.compose import ComposeService, Container
from target.description import Compose
from target.errors import HostError, TargetError
from target.record import Record
from target.redact import secrets_of


class ContainersAction(Action[ContainersPlan]):
    """`to` is an image or a record, where it is not the newest healthy record; `record` is where a set goes.

    Raises TargetError when the service of the target is not a compose service.
    """

    name = "containers"
    level = 3
    plan_type = ContainersPlan

    def __init__(self, site: Site, to: str | None, record: Record | None) -> None:
        settings = site.target.service.compose if site.target.service else None
        if settings is None or not isinstance(site.service, ComposeService):
            raise TargetError(
                f"{site.target.source or site.target.name}: no `service.compose`: name the compose file and the "
                "service in it"
            )
        self.site = site
        self.to = to
        self.record = record
        self.settings: Compose = settings
        self.project = Project(site, site.service)
        self._pinned: Pinned | None = None

    def survey(self, stamp: str, last: Story | None) -> Survey[ContainersPlan]:
        del last  # an image is known by its ID, whoever brought it
        try:
            config = self.project.config()
        except HostError as error:
            raise Refused(f"{error}; nothing was changed") from error
        self._learn(config)
        container = self.project.check_container()
        found = find(self.site, self.settings.previous, self.to, self.record)
        pinned = self._pinned = self.project.pin(config, found.pin)
        file, facts = in_place(self.site, pinned.file)
        works, seen, _ = ready(self.site, at_first=True)
        same = pinned.edit.of(pinned.content) == pinned.content
        new = container if container is not None and container.image == found.image else None
        young = new is not None and facts is not None and new.started_at > facts.changed
        expected = self.site.records.expected() if self.site.records.all() else None
        if new is not None and not works:
            raise Refused(
                f"{self.site.service.name} has image {found.image[7:19]}, {_whose(found)}, already, and {seen}: going "
                "to it mends nothing; nothing was changed. `python -m checks triage` says what is wrong; another image "
                "or record is named with --to"
            )
        plan = ContainersPlan(
            file=file,
            kept=f"{file}.failed.{stamp}",
            beside=f"{file}.next.{stamp}",
            undone=f"{file}.undone.{stamp}",
            size=len(pinned.content) + len(pinned.edit.text),
            changes=f"{short(pinned.before) or 'no image'} → {short(found.pin)}, pinned",
            edit=pinned.edit,
            image=found.image,
            pin=found.pin,
            pull=found.pull,
            restart_only=same,
            was_ready=works,
            named=found.named,
            to=self.to,
            record=found.record.name if found.record else None,
            expected_before=expected.name if expected else None,
            migration=migration.crossing(self.site, found.record) if found.record and not same else None,
            before=pinned.before,
        )
        schema = migration.judge(self.site, found.record) if found.record and not same else []
        back = [] if same else self._way_back(pinned, container)
        now = Finding(f"now: image {container.image[7:19] if container else 'none'}, {seen}")
        already = f"{file} pins {found.pin}, and that is what runs" if same and young else ""
        return Survey(
            goal=self.goal_of(plan),
            message=f"{found.pin} in {file}",
            plan=plan,
            findings=(*found.findings, *schema, *back, now),
            already=already,
        )

    def seal(self, plan: ContainersPlan) -> ContainersPlan:
        assert self._pinned is not None
        content, keyed = self._pinned.content, self.site.records.keyed_hash
        return msgspec.structs.replace(plan, old=keyed(content), new=keyed(plan.edit.of(content)))

    def changes(self, plan: ContainersPlan) -> tuple[Step, ...]:
        pull = (Pull(self.site, plan),) if plan.pull else ()
        switch = () if plan.restart_only else (SetAside(self.site, plan), Pin(self.site, plan))
        return (*pull, *migration.steps(self.site, plan.migration), *switch)

    def proofs(self, plan: ContainersPlan) -> tuple[Step, ...]:
        prove = Prove(
            self.site,
            lambda: self.changed(plan),
            lambda: self._evidence(plan),
            part="image",
            record=plan.record,
            expected_before=plan.expected_before,
            lenient=plan.named,
        )
        return (prove,)

    def changed(self, plan: ContainersPlan) -> float:
        return Files(self.site, plan).changed()

    def check_resume(self, plan: ContainersPlan, *, back: bool) -> None:
        if self.to is not None and self.to != plan.to:
            raise Refused(
                f"an unfinished run goes to {plan.pin}, not to {self.to}: end it first, with --resume or --undo"
            )
        if not back:
            Files(self.site, plan).check_resume(self.name)

    def check_undo(self, plan: ContainersPlan) -> list[Finding]:
        found = Files(self.site, plan).check_undo(
            "name another image: python -m rollback containers --to IMAGE"
        )
        self.project.check_container()
        if plan.before and images(self.site, plan.before) == [None]:
            raise Refused(
                f"{plan.before}, which {plan.file} named before, is not on {self.site.host.url} any more: an undo "
                f"could start no container; nothing was changed. docker pull {plan.before} there, then run it again"
            )
        return [*found, Finding(f"{self.site.service.name} answers its control")]

    def goal_of(self, plan: ContainersPlan) -> str:
        return f"image of {plan.record or 'no record'} ({short(plan.pin)})"

    def state(self, plan: ContainersPlan) -> list[str]:
        lines = Files(self.site, plan).describe(f"the one that pins {plan.pin}")
        try:
            container = self.project.service.container()
            which = "no container" if container is None else f"image {container.image}"
            lines.append(f"{self.site.service.name}: {started(self.site.service.status())}, {which}")
        except HostError as error:
            lines.append(f"{self.site.service.name}: cannot be asked: {error}")
        return lines

    def learn(self, plan: ContainersPlan) -> None:
        del plan
        try:
            self._learn(self.project.config())
        except (HostError, Refused):
            return  # files that cannot be read now are told where they are needed

    def _learn(self, config: dict[str, Any]) -> None:
        for service in config.get("services", {}).values():
            variables = service.get("environment") if isinstance(service, dict) else None
            if isinstance(variables, dict):
                self.site.redactor.add(
                    secrets_of({name: _unescaped(value) for name, value in variables.items()})
                )

    def _way_back(self, pinned: Pinned, container: Container | None) -> list[Finding]:
        """An undo makes a container of what the old file names: worth a word when that is not what runs now."""
        if container is None or not pinned.before:
            return []
        (image,) = images(self.site, pinned.before)
        if image is None or image.id == container.image:
            return []
        return [
            Finding(
                f"{pinned.before} is {image.id[7:19]} by now, and {container.image[7:19]} runs: --undo would start the "
                "former",
                doubt=True,
            )
        ]

    def _evidence(self, plan: ContainersPlan) -> str:
        """The container has the image and the environment, and its own health check does not complain."""
        container = self.project.service.container()
        if container is None:
            raise StepFailed(f"{self.site.service.name} stopped running")
        if container.image != plan.image:
            raise StepFailed(f"the container has image {container.image}, and has to have {plan.image}")
        if container.health == "unhealthy":
            raise StepFailed(f"the container's own health check says {container.health}")
        wrong = self._stale(container)
        if wrong:
            raise StepFailed(
                f"the container does not have the environment of the files: {', '.join(wrong)} differ"
            )
        health = "" if container.health == "none" else f", {container.health}"
        return f"image {plan.image[7:19]}{health}, its environment is the files'"

    def _stale(self, container: Container) -> list[str]:
        """Names of variables that the container does not have as the compose program reads the files."""
        service = self.project.config()["services"][self.project.service.name]
        variables = service.get("environment") or {}
        return sorted(
            name
            for name, value in variables.items()
            if value != "null" and container.environment.get(name) != _unescaped(value)
        )


def _whose(found: Destination) -> str:
    return f"that of {found.record.name}" if found.record else "of no record"


def _unescaped(value: str) -> str:
    return value.replace("$$", "$")
