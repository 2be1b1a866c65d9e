"""The compose files that make up a project: those that a person gets who types no `-f` in the folder."""

from target import environment
from target.description import Compose
from target.errors import HostError
from target.host import Host

_FOUND_BY_ITSELF = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_OVERRIDES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
# The variables of the shell, which beat .env; the overrides that are there, a line each; .env.
_LOOK = r"""
folder=$1; shift
printf '%s\036%s\036' "${COMPOSE_FILE-}" "${COMPOSE_PATH_SEPARATOR-}"
for name; do [ ! -f "$folder/$name" ] || printf '%s\n' "$name"; done
printf '\036'
[ ! -f "$folder/.env" ] || cat -- "$folder/.env"
"""


def files_of(host: Host, settings: Compose, reader: environment.Reader) -> tuple[str, ...]:
    """The files in order of precedence, as absolute paths; `reader` is the compose that reads `.env`.

    The target's `overrides` where it names any; else COMPOSE_FILE, of the shell or of `.env`, where `file` is among
    its files; else `file` and the override file beside it. Raises HostError.
    """
    if settings.overrides:
        return (settings.file, *settings.overrides)
    folder, _, name = settings.file.rpartition("/")
    ran = host.shell(_LOOK, folder or "/", *_OVERRIDES)
    if not ran.ok:
        raise HostError(f"{host.url}: cannot look at {folder}: {ran.stderr.strip()}")
    listed, separator, beside, dotenv = ran.stdout.split("\036", 3)
    variables = environment.read(dotenv.encode(), reader).variables if "COMPOSE_FILE" in dotenv else {}
    listed = listed or variables.get("COMPOSE_FILE", "")
    if listed:
        separator = separator or variables.get("COMPOSE_PATH_SEPARATOR") or ":"
        named = tuple(
            path if path.startswith("/") else f"{folder}/{path}" for path in listed.split(separator)
        )
        return named if settings.file in named else (settings.file,)
    overrides = beside.splitlines() if name in _FOUND_BY_ITSELF else []
    return (settings.file, *(f"{folder}/{override}" for override in overrides[:1]))
