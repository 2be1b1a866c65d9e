"""The environment file to go to: whether it is whole, whose it is, and whether its credentials work."""

import asyncio

import msgspec

from rollback.errors import Refused
from rollback.readiness import finish
from rollback.site import Site
from rollback.step import Finding
from target import environment
from target.description import Environment, Provider
from target.errors import HostError, RecordError, TargetError
from target.host import FileFacts
from target.provider import Asked, ProviderClient
from target.record import Record, describe
from target.redact import secrets_of

_PROVIDER_S = 5.0


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """`record` is the one that has this environment; `records` are all there are, newest first."""

    path: str
    facts: FileFacts
    content: bytes
    variables: dict[str, str]
    record: Record | None
    records: tuple[Record, ...]
    findings: tuple[Finding, ...]


def read_candidate(
    site: Site, settings: Environment, to: str | None, wanted: Record | None, now: dict[str, str]
) -> Candidate:
    """Judge the file `to`, or the target's previous one. `now` are the variables in place. Raises Refused.

    With `wanted` it is the file with the environment of that record, which may be an older copy.

    For a file named with `to` the person is taken at their word where its past is doubtful (bad record, keys that only
    a record knows); that it can be read and is whole is never waived.
    """
    path = to or (settings.previous if wanted is None else _of_record(site, settings, wanted))
    facts, content = _read(site, path, named=to is not None)
    variables, findings = _parse(site, settings, path, content)
    site.redactor.add(secrets_of(variables))
    records, doubts = _records(site)
    record = wanted or _record_of(site, records, content)
    findings += doubts
    findings += _judge_record(record, path, named=to is not None)
    if record is None:
        findings += _recorded_keys(records, variables, path, named=to is not None)
    findings += finish(_credentials(site.target.providers, variables, now, path))
    return Candidate(
        path=path,
        facts=facts,
        content=content,
        variables=variables,
        record=record,
        records=records,
        findings=tuple(findings),
    )


def _read(site: Site, path: str, *, named: bool) -> tuple[FileFacts, bytes]:
    then = "nothing was changed; name another with --to FILE"
    facts = site.host.facts(path)
    if facts is None:
        what = "" if named else ", the previous environment,"
        raise Refused(f"{path}{what} is not there on {site.host.url}; {then}")
    if facts.kind not in ("regular", "symlink"):
        raise Refused(f"{path} on {site.host.url} is a {facts.kind}, not a file; {then}")
    try:
        content = site.host.read(path)
    except HostError as error:
        raise Refused(f"{error}; {then}") from error
    if not content.strip():
        raise Refused(f"{path} on {site.host.url} is empty; {then}")
    return facts, content


def _of_record(site: Site, settings: Environment, wanted: Record) -> str:
    """The copy beside the environment file that has the bytes which are on record. Raises Refused."""
    if wanted.environment is None:
        raise Refused(f"the record {wanted.name} says nothing of an environment; nothing was changed")
    copies: set[str] = set()
    for beside in (settings.file, settings.previous):
        folder, _, name = beside.rpartition("/")
        copies |= {
            f"{folder}/{each}" for each in site.host.list(folder or "/") if each.startswith(f"{name}.")
        }
    for path in [settings.previous, *sorted(copies - {settings.previous}, reverse=True)]:
        facts = site.host.facts(path)
        if facts is None or facts.kind not in ("regular", "symlink"):
            continue
        if site.records.keyed_hash(site.host.read(path)) == wanted.environment.file_hmac:
            return path
    raise Refused(
        f"neither {settings.previous} nor any copy beside {settings.file} on {site.host.url} is the environment of "
        f"{wanted.name}; nothing was changed"
    )


def _parse(
    site: Site, settings: Environment, path: str, content: bytes
) -> tuple[dict[str, str], list[Finding]]:
    reading = environment.read(content, settings.reader)
    site.redactor.add(secrets_of(reading.variables))
    if reading.faults:
        raise Refused(
            f"{path} cannot be used as {settings.reader} reads it: {'; '.join(reading.faults[:3])}; mend it, or name "
            "another with --to FILE; nothing was changed"
        )
    lacking = [key for key in settings.required if not reading.variables.get(key)]
    if lacking:
        raise Refused(
            f"{path} lacks {', '.join(lacking)}, which the target requires; add it, or name another with --to FILE; "
            "nothing was changed"
        )
    whole = Finding(f"{path.rpartition('/')[2]} is whole: {len(reading.variables)} variables", minor=True)
    return reading.variables, [whole, *(Finding(text, doubt=True) for text in reading.warnings)]


def _records(site: Site) -> tuple[tuple[Record, ...], list[Finding]]:
    try:
        return tuple(site.records.all()), []
    except RecordError as error:
        return (), [Finding(f"the records cannot be compared: {error}", doubt=True)]


def _record_of(site: Site, records: tuple[Record, ...], content: bytes) -> Record | None:
    """The record with this environment: what should be running before others, a healthy one before a bad one."""
    if not any(record.environment for record in records):
        return None
    keyed = site.records.keyed_hash(content)
    same = [record for record in records if record.environment and record.environment.file_hmac == keyed]
    healthy = [record for record in same if record.state == "healthy"]
    if len(healthy) > 1:
        expected = site.records.expected()
        healthy.sort(key=lambda record: expected is None or record.name != expected.name)
    return next(iter(healthy or same), None)


def _judge_record(record: Record | None, path: str, *, named: bool) -> list[Finding]:
    if record is None:
        return [Finding(f"{path.rpartition('/')[2]} is the environment of no record", doubt=True)]
    if record.state == "bad" and not named:
        raise Refused(
            f"{path} is the environment of {describe(record)}: a record that was marked bad is never gone back to "
            "unasked; name the file to insist: --to FILE; nothing was changed"
        )
    return [Finding(f"on record: {describe(record)}", doubt=record.state == "bad", minor=True)]


def _recorded_keys(
    records: tuple[Record, ...], variables: dict[str, str], path: str, *, named: bool
) -> list[Finding]:
    good = next((record for record in records if record.environment and record.state == "healthy"), None)
    if good is None or good.environment is None:
        return []
    lacking = sorted(good.environment.values.keys() - variables.keys())
    if not lacking:
        return [Finding(f"has every key of {good.name}", minor=True)]
    says = f"{path} lacks {', '.join(lacking)}, which the environment of {good.name} has"
    if named:
        return [Finding(says, doubt=True)]
    raise Refused(f"{says}; add what is missing, or insist with --to {path}; nothing was changed")


async def _credentials(
    providers: tuple[Provider, ...], variables: dict[str, str], now: dict[str, str], path: str
) -> list[Finding]:
    """Ask every provider at once. Raises Refused when one refuses what the file would bring.

    Credentials that are refused, and are the same in the file in place, get no worse by going back: a doubt.
    """
    asked = await asyncio.gather(*(_ask(provider, variables, path) for provider in providers))
    accepted, findings = [], []
    for provider, answer in zip(providers, asked, strict=True):
        if answer.refused:
            names = [name for name in (provider.key, provider.folder) if name]
            if any(variables.get(name) != now.get(name) for name in names):
                raise Refused(
                    f"{provider.name} refuses the credentials of {path} ({answer.problem or answer.status}): put a "
                    f"valid {provider.key} into it, or name another with --to FILE; nothing was changed"
                )
            findings.append(
                Finding(f"{provider.name} refuses {provider.key}, and it is the same as now", doubt=True)
            )
        elif answer.status == 0 or answer.status >= 400:
            why = answer.problem or f"status {answer.status}"
            findings.append(
                Finding(f"{provider.name} could not be asked about the credentials: {why}", doubt=True)
            )
        else:
            accepted.append(provider.name)
    if accepted:
        says = "accept" if len(accepted) > 1 else "accepts"
        findings.insert(0, Finding(f"{', '.join(accepted)} {says} the restored credentials"))
    return findings


async def _ask(provider: Provider, variables: dict[str, str], path: str) -> Asked:
    try:
        client = ProviderClient(provider, variables, timeout_s=_PROVIDER_S)
    except TargetError as error:
        raise Refused(f"{path}: {error}; nothing was changed") from error
    try:
        return await client.credentials()
    finally:
        await client.aclose()
