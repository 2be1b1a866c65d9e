"""The action `providers`, Level 1: leave the failing ones out, put a stable one first, restart, prove it."""

import shlex

import msgspec

from rollback import clock, onefile
from rollback.action import Action, Survey
from rollback.actions.providers.decision import Decision, check_names, decide
from rollback.actions.providers.edit import edited
from rollback.actions.providers.evidence import evidence
from rollback.actions.providers.probe import Answers, ask_all
from rollback.actions.providers.remember import Remember
from rollback.errors import Refused
from rollback.journal import Story
from rollback.lock import whoami
from rollback.onefile import FilePlan, Files, SetAside, in_place, learn_secrets
from rollback.proof import Prove
from rollback.readiness import finish, ready, started, started_after
from rollback.restart import controllable
from rollback.site import Site
from rollback.step import Finding, Step
from target import choice as choices
from target import environment, provider_order
from target.choice import Choice
from target.errors import HostError, TargetError
from target.provider_order import Order, OrderError, order_of
from target.redact import secrets_of


class ProvidersPlan(FilePlan, frozen=True, kw_only=True):
    """`file` tells the service `after` instead of `before`; `choice` is remembered instead of `choice_before`."""

    before: Order
    after: Order
    choice: Choice
    choice_before: Choice | None


class Switch(onefile.Switch):
    """Puts the file with the new order in place, made from the copy that was set aside."""

    plan: ProvidersPlan

    def __init__(self, site: Site, plan: ProvidersPlan) -> None:
        super().__init__(site, plan, plan.kept)

    @property
    def making(self) -> str:
        return f"write {shlex.quote(self.plan.beside)}: as it is, with {self.plan.after}"

    def make(self) -> None:
        content = edited(self.site.host.read(self.plan.kept), self.site.target, self.plan.after)
        self.site.host.write_atomically(self.plan.beside, content)


class ProvidersAction(Action[ProvidersPlan]):
    """`disable` are to be left out, those that fail now where none is named; `first` is to be first in turn.

    Raises TargetError when the target does not say how the service is told its providers, or has no credentials.
    """

    name = "providers"
    level = 1
    plan_type = ProvidersPlan

    def __init__(self, site: Site, disable: tuple[str, ...] = (), first: str | None = None) -> None:
        target = site.target
        if not target.providers or target.environment is None:
            lacking = "environment" if target.providers else "providers"
            raise TargetError(
                f"{target.source or target.name}: no `{lacking}`: without it no provider can be asked with the "
                "credentials of the service"
            )
        self.site = site
        self.disable = tuple(dict.fromkeys(disable))
        self.first = first
        self.path = provider_order.path_of(target)
        self.environment = target.environment
        self._old = b""
        self._new = b""

    def survey(self, stamp: str, last: Story | None) -> Survey[ProvidersPlan]:
        del last
        site = self.site
        file, facts = in_place(site, self.path)
        if facts is None:
            raise Refused(
                f"{self.path} is not there on {site.host.url}: correct the target; nothing was changed"
            )
        self._old = site.host.read(file)
        before = self._order()
        described = tuple(provider.name for provider in site.target.providers)
        check_names(before, described, self.disable, self.first)
        status = controllable(site)
        works, seen, _ = ready(site, at_first=True)
        answers = self._ask(before)
        decision = decide(before, answers, self.disable, self.first)
        self._new = self._old if decision.after == before else edited(self._old, site.target, decision.after)
        kept = choices.read(site.host, site.state_dir)
        chosen = kept if kept and kept.order == before else None
        plan = ProvidersPlan(
            file=file,
            kept=f"{file}.failed.{stamp}",
            beside=f"{file}.next.{stamp}",
            undone=f"{file}.undone.{stamp}",
            size=max(len(self._old), len(self._new)),
            changes=f"{decision.after}, instead of {before}",
            was_ready=works,
            before=before,
            after=decision.after,
            choice=self._choice(stamp, decision, chosen),
            choice_before=kept,
        )
        already = ""
        if decision.after == before and set(decision.out) <= set(chosen.disabled if chosen else ()):
            if not started_after(status, facts.changed):
                raise Refused(
                    f"{file} already says {before}, and {started(status)} is older: "
                    f"{site.service.commands('restart')}; nothing was changed"
                )
            if not works:
                raise Refused(
                    f"no provider fails every time, and yet {seen}: `python -m checks triage` says what is wrong; "
                    "nothing was changed"
                )
            already = _already(answers, chosen, before)
        return Survey(
            goal=self.goal_of(plan),
            message=f"{before} to {decision.after}",
            plan=plan,
            findings=(*_findings(answers, decision), Finding(f"now: {started(status)}, {seen}")),
            already=already,
        )

    def seal(self, plan: ProvidersPlan) -> ProvidersPlan:
        keyed = self.site.records.keyed_hash
        return msgspec.structs.replace(plan, old=keyed(self._old), new=keyed(self._new))

    def changes(self, plan: ProvidersPlan) -> tuple[Step, ...]:
        remember = Remember(self.site, plan.choice, plan.choice_before)
        if plan.before == plan.after:
            return (remember,)
        return (SetAside(self.site, plan), Switch(self.site, plan), remember)

    def proofs(self, plan: ProvidersPlan) -> tuple[Step, ...]:
        prove = Prove(
            self.site,
            lambda: self.changed(plan),
            lambda: evidence(self.site, plan.choice, plan.file),
            part="order of providers",
            record=None,
            expected_before=None,
            lenient=False,
        )
        return (prove,)

    def changed(self, plan: ProvidersPlan) -> float:
        return Files(self.site, plan).changed()

    def learn(self, plan: ProvidersPlan) -> None:
        switched = (plan.file, plan.kept) if self.path == self.environment.file else ()
        learn_secrets(self.site, {self.environment.file, *switched}, self.environment.reader)

    def check_resume(self, plan: ProvidersPlan, *, back: bool) -> None:
        asked_else = set(self.disable) - set(plan.choice.disabled) or self.first not in (
            None,
            plan.choice.raised,
        )
        if asked_else:
            raise Refused(
                f"an unfinished run goes to {plan.after}: end it first, with --resume or --undo, without --disable and "
                "--raise"
            )
        if not back:
            Files(self.site, plan).check_resume(self.name)

    def check_undo(self, plan: ProvidersPlan) -> list[Finding]:
        found = Files(self.site, plan).check_undo("write the providers there by hand, and restart")
        status = controllable(self.site)
        return [*found, Finding(f"{self.site.service.name} answers its control: {status.state}")]

    def goal_of(self, plan: ProvidersPlan) -> str:
        out = [name for name in plan.before.names if name not in plan.after.names]
        without = f" without {', '.join(out)}" if out else ""
        return f"providers {plan.after}{without}"

    def state(self, plan: ProvidersPlan) -> list[str]:
        lines = Files(self.site, plan).describe(f"with {plan.after}")
        try:
            lines.append(f"{self.site.service.name}: {started(self.site.service.status())}")
        except HostError as error:
            lines.append(f"{self.site.service.name}: cannot be asked: {error}")
        return lines

    def _order(self) -> Order:
        try:
            return order_of(self._old, self.site.target)
        except OrderError as error:
            raise Refused(f"{error}; nothing was changed") from error

    def _variables(self) -> dict[str, str]:
        """The service's environment, its secrets learnt."""
        content = self.site.host.read(self.environment.file)
        variables = environment.read(content, self.environment.reader).variables
        self.site.redactor.add(secrets_of(variables))
        return variables

    def _ask(self, before: Order) -> list[Answers]:
        """Ask all that may be in use afterwards."""
        wanted = {*before.names, *((self.first,) if self.first else ())} - set(self.disable)
        variables = self._variables()
        return finish(
            ask_all((each for each in self.site.target.providers if each.name in wanted), variables)
        )

    def _choice(self, stamp: str, decision: Decision, chosen: Choice | None) -> Choice:
        """What is to be remembered: those left out now, and those that the choice in force has left out before."""
        out = dict.fromkeys((*(chosen.disabled if chosen else ()), *decision.out))
        return Choice(
            since=clock.iso(clock.of_stamp(stamp)),
            by=whoami(),
            run=f"{stamp}-{self.name}",
            disabled=tuple(name for name in out if name not in decision.after.names),
            raised=decision.first,
            order=decision.after,
        )


def _findings(answers: list[Answers], decision: Decision) -> list[Finding]:
    stable = [each.name for each in answers if each.stable]
    verb = "answers" if len(stable) == 1 else "answer"
    good = [Finding(f"{', '.join(stable)} {verb} right for both operations")] if stable else []
    bad = [Finding(each.says, doubt=each.name not in decision.out) for each in answers if each.troubles]
    return [*good, *bad]


def _already(answers: list[Answers], chosen: Choice | None, order: Order) -> str:
    unsure = [each.says for each in answers if each.troubles]
    if unsure:
        return f"no provider fails every time ({'; '.join(unsure)}): name it with --disable to leave it out"
    told = f"; {chosen.says}" if chosen else ""
    took = {each.name: f"{each.speaks_s:.1f}" for each in answers if each.speaks_s is not None}
    times = ", ".join(took[name] for name in order.names if name in took)
    return (
        f"{order} answer as they should, in that order{told}; it took them {times} s to speak, and "
        "--disable NAME leaves one out all the same"
    )
