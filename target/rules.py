"""What must hold in a target file beyond the types of its keys."""

import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from target.description import Budget, Target
from target.document import Document
from target.errors import TargetError
from target.host import check_url
from target.variables import is_variable

_DATABASE_URLS = ("database.url", "database.admin_url")
_SECRET_KEYS = (
    "api.token",
    *(f"objects.{part}{key}" for part in ("", "write.", "backup.") for key in ("access_key", "secret_key")),
)
_PASSWORDS = (re.compile(r"://[^/?#]*?:(?P<it>[^/?#]*)@"), re.compile(r"[?&]password=(?P<it>[^&]*)"))
_CONTROLS = ("systemd", "compose", "supervisor")
_HOST_PATHS = (
    ("state_dir", ".voice-v2-rollback"),
    ("api.python.interpreter", "venv/bin/python"),
    ("service.compose.file", "docker-compose.yml"),
    ("service.supervisor.config", "supervisord.conf"),
    ("environment.file", ".env"),
    ("environment.previous", ".env.previous"),
    ("code.checkout", "app"),
    ("provider_settings.file", "providers.yaml"),
    ("code.backups", "backup/voice_v2_%Y%m%d"),
    ("code.wheelhouse", "wheelhouse"),
    ("virtualenv.path", "venv"),
    ("virtualenv.backup", "venv_backup"),
    ("database.dumps", "backup/voice_usage_logs_%Y%m%d.dump"),
    ("database.tools", "postgresql/bin"),
)
_DATED_FOLDER = re.compile(r"(?=.*%Y)(?=.*%m)(?=.*%d)(?!\.)(?:[A-Za-z0-9._/-]|%[YmdHMS])+/")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def no_literal_secrets(document: Document, from_environment: frozenset[str]) -> None:
    """Refuse secrets that are written into the file or the command line instead of `${VARIABLE}`."""
    for key in _SECRET_KEYS:
        value = _value(document.data, key)
        if isinstance(value, str) and value and key not in from_environment and not is_variable(value):
            raise document.fault(
                key, f"a secret is written here; write ${{{_variable(key)}}} and export that"
            )
    for key in _DATABASE_URLS:
        url = _value(document.data, key)
        if not isinstance(url, str) or key in from_environment:
            continue
        for pattern in _PASSWORDS:
            found = pattern.search(url)
            if found and found["it"] and not is_variable(found["it"]):
                raise document.fault(
                    key, "a password is written here; write ${DATABASE_PASSWORD} in its place"
                )


def apply(document: Document, target: Target) -> Target:
    """Check the target and make the paths in it absolute. Raises DescriptionError for the first rule that is broken."""
    if not _NAME.fullmatch(target.name):
        raise document.fault("name", "may hold letters, digits and . _ - only, since it names folders")
    _urls(document, target)
    _api(document, target)
    _hosts(document, target)
    _service(document, target)
    _database(document, target)
    _providers(document, target)
    _numbers(document, target)
    _backups(document, target)
    return _paths(document, target)


def is_local(url: str) -> bool:
    """Whether a host URL means this machine."""
    return url.partition("://")[0] == "local"


def _urls(document: Document, target: Target) -> None:
    urls = [("api.url", target.api.url)]
    urls += [(f"providers.{i}.url", one.url) for i, one in enumerate(target.providers) if one.url is not None]
    if target.monitoring is not None:
        urls.append(("monitoring.prometheus", target.monitoring.prometheus))
    for key, url in urls:
        problem = _url_problem(url)
        if problem:
            raise document.fault(key, f"{problem}; write e.g. http://voice.internal:8000")
    _objects(document, target)


def _objects(document: Document, target: Target) -> None:
    if target.objects is None:
        return
    for key in ("objects.endpoint", "objects.backup.endpoint"):
        endpoint = _value(target, key)
        if endpoint is not None and not re.fullmatch(r"[^/\s:@]+(:\d{1,5})?", endpoint):
            secure = key.replace("endpoint", "secure")
            raise document.fault(key, f"must be host:port without http://; TLS or not is {secure}")
    prefix = target.objects.backup_prefix
    if not _DATED_FOLDER.fullmatch(prefix):
        raise document.fault(
            "objects.backup_prefix", 'must hold %Y, %m and %d and end with /; write e.g. "%Y-%m-%d/"'
        )


def _url_problem(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        port_is_good = parts.port is None or parts.port > 0
    except ValueError:
        return "not a URL"
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_is_good:
        return "not an http:// or https:// URL"
    if parts.username is not None or parts.password is not None:
        return "must not carry a user or password"
    if parts.query or parts.fragment or re.search(r"\s", url):
        return "must end with host, port or path"
    return None


def _api(document: Document, target: Target) -> None:
    token = target.api.token
    if token is not None and not (token.isascii() and token.isprintable() and token == token.strip()):
        raise document.fault("api.token", "holds a space or line break at its end, or is not ASCII")
    for name in target.api.paths.__struct_fields__:
        if not getattr(target.api.paths, name).startswith("/"):
            raise document.fault(f"api.paths.{name}", "must start with /")
    for name in target.api.headers.__struct_fields__:
        header = getattr(target.api.headers, name)
        if header is not None and not _HEADER.fullmatch(header):
            raise document.fault(f"api.headers.{name}", "not a header name; write e.g. X-Voice-Provider")
    if not (target.mark.isascii() and target.mark.isprintable() and target.mark.strip()):
        raise document.fault("mark", "must be printable ASCII, since it travels in a header")
    for name in ("factory", "requests"):
        path, _, attribute = getattr(target.api.python, name).partition(":")
        dotted = all(part.isidentifier() for part in path.split("."))
        if not dotted or attribute.isidentifier() is not (name == "factory"):
            wanted = "package.module:Name" if name == "factory" else "package.module"
            raise document.fault(f"api.python.{name}", f"must be {wanted}")


def _hosts(document: Document, target: Target) -> None:
    if not target.hosts:
        raise document.fault(
            "hosts", "names no host; write e.g. [ssh://deploy@voice-1], or leave it out for local"
        )
    for index, url in enumerate(target.hosts):
        try:
            check_url(url)
        except (TargetError, ValueError) as error:
            raise document.fault(f"hosts.{index}", str(error)) from None
    _unique(document, "hosts", target.hosts, "the same host")


def _service(document: Document, target: Target) -> None:
    if target.service is None:
        return
    for index, path in enumerate(target.service.compose.overrides if target.service.compose else ()):
        if not path.startswith("/"):
            raise document.fault(
                f"service.compose.overrides.{index}",
                f"{path!r} must be absolute; write e.g. /srv/voice/prod.yml",
            )
    chosen = [name for name in _CONTROLS if getattr(target.service, name) is not None]
    if len(chosen) != 1:
        seen = f"{' and '.join(chosen)} at once" if chosen else "none of them"
        raise document.fault("service", f"{seen}; write exactly one of systemd, compose, supervisor")


def _database(document: Document, target: Target) -> None:
    if target.database is None:
        return
    for key in _DATABASE_URLS:
        url = _value(target, key)
        if url is not None and not _is_database_url(url):
            raise document.fault(
                key,
                "must be postgresql://USER:${PASSWORD}@HOST:PORT/NAME; percent-encode @ / : ? # in the password",
            )
    dumps = target.database.dumps
    if dumps is not None and ("%" in dumps.rpartition("/")[0] or "%" not in dumps.rpartition("/")[2]):
        raise document.fault(
            "database.dumps", "must have its date in its last part; write e.g. /backup/logs_%Y%m%d.dump"
        )
    ways = {name: getattr(target.database, name) for name in ("downgrade", "upgrade")}
    for name, command in ways.items():
        if command is not None and "{revision}" not in command:
            raise document.fault(
                f"database.{name}", f"must hold {{revision}}; write e.g. alembic {name} {{revision}}"
            )
        if command is None and any(ways.values()):
            raise document.fault(f"database.{name}", "is needed beside the other way, to come back")


def _is_database_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"postgresql", "postgres"} and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
    return good and url.count("@") <= 1 and not re.search(r"\s", url)


def _providers(document: Document, target: Target) -> None:
    names = [provider.name for provider in target.providers]
    _unique(document, "providers", names, "a provider of that name")
    settings = target.provider_settings
    if settings is None:
        return
    if settings.stt == settings.tts:
        raise document.fault("provider_settings.tts", "names the same as `stt`; each operation has its own")
    if settings.file is None and target.environment is None:
        raise document.fault(
            "provider_settings",
            "names variables of the environment file: add `environment`, or name a `file`",
        )
    if settings.file is not None and not settings.file.endswith((".yaml", ".yml", ".json")):
        raise document.fault("provider_settings.file", "must be a .yaml or .json file")


def _unique(document: Document, key: str, names: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            raise document.fault(f"{key}.{index}", f"{name}: {what} is listed above; keep one")
        seen.add(name)


def _numbers(document: Document, target: Target) -> None:
    numbers: list[tuple[str, float | None]] = [
        (f"budget.{name}", getattr(target.budget, name)) for name in Budget.__struct_fields__
    ]
    numbers.append(("api.timeout_s", target.api.timeout_s))
    numbers.append(("snapshots.keep", target.snapshots.keep))
    if target.code is not None:
        numbers.append(("code.max_age_days", target.code.max_age_days))
    if target.service is not None:
        numbers.append(("service.ready_s", target.service.ready_s))
    if target.code is not None:
        numbers.append(("code.deploy_s", target.code.deploy_s))
    for key, number in numbers:
        if number is not None and not (math.isfinite(number) and number > 0):
            raise document.fault(key, f"{number} is not a positive number")


def _backups(document: Document, target: Target) -> None:
    pattern = target.code.backups if target.code is not None else None
    if pattern is None:
        return
    folder, _, name = pattern.rpartition("/")
    codes = re.findall("%(.?)", name)
    if "%" in folder or not {"Y", "m", "d"} <= set(codes) or not set(codes) <= set("YmdHMS"):
        raise document.fault(
            "code.backups",
            "its last part, and no other, must hold %Y %m %d; write e.g. /backup/voice_v2_%Y%m%d",
        )


def _paths(document: Document, target: Target) -> Target:
    """Relative host paths are relative to the target file, which makes sense on this machine only."""
    folder = document.path.absolute().parent
    remote = next((url for url in target.hosts if not is_local(url)), None)
    for key, sample in _HOST_PATHS:
        value = _value(target, key)
        if value is None or value.startswith("/"):
            continue
        if not value or value.startswith("~"):
            raise document.fault(key, f"{value!r} must be a whole path; write e.g. /srv/voice/{sample}")
        if remote is not None:
            raise document.fault(
                key, f"{value!r} must be absolute on {remote}; write e.g. /srv/voice/{sample}"
            )
        target = _replace(target, key, str(folder / value))
    for key in ("code.package", "code.requirements"):
        value = _value(target, key)
        if value is not None and (not value or value.startswith(("/", "~")) or ".." in Path(value).parts):
            raise document.fault(key, "must be a path below code.checkout")
    url = target.api.url.rstrip("/")
    return msgspec.structs.replace(target, api=msgspec.structs.replace(target.api, url=url))


def _value(where: Any, key: str) -> Any:
    """The value at a dotted key of a mapping or a struct, None when something on the way is not there."""
    for part in key.split("."):
        where = where.get(part) if isinstance(where, dict) else getattr(where, part, None)
    return where


def _replace(section: Any, key: str, value: str) -> Any:
    name, _, rest = key.partition(".")
    inner = _replace(getattr(section, name), rest, value) if rest else value
    return msgspec.structs.replace(section, **{name: inner})


def _variable(key: str) -> str:
    return "VOICE_TOKEN" if key == "api.token" else key.replace(".", "_").upper()
