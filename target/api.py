"""How a target is asked: one client interface, two flavours (`openai-audio` over HTTP, `python` in a worker)."""

from typing import Protocol

import msgspec

from target.description import Target
from target.errors import ApiError, WrongAddress
from target.host import Host

_SERVER_ERROR = 500


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One answered request: HTTP status (the python flavour: 200, or 500 with the error as `body`), seconds taken.

    `started` is on the monotonic clock. `body` is bytes as received; `provider` is who says to have answered, where
    the target names a header for it; `headers` has lower-case names.
    """

    status: int
    seconds: float
    started: float
    body: bytes
    headers: dict[str, str]
    provider: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    def text(self, limit: int = 300) -> str:
        """The body as text, cut to `limit` characters, for evidence."""
        return self.body[: limit * 4].decode("utf-8", "replace")[:limit]


class ProviderHealth(msgspec.Struct, frozen=True):
    """A provider as `/health` tells of it; any part may be missing."""

    status: str | None = None
    response_time: float | None = None
    success_rate: float | None = None
    last_error: str | None = None


class Health(msgspec.Struct, frozen=True):
    """What `/health` says (DESIGN §2); unknown keys are kept in `more`."""

    system_status: str
    version: str | None = None
    revision: str | None = None
    started_at: str | None = None
    providers: dict[str, ProviderHealth] = {}
    more: dict[str, object] = {}


class VoiceApi(Protocol):
    """The client. Methods raise `ApiError` only when there was no answer to judge (refused, timed out, cut off).

    An answer of any status is an `Answer`. Safe to call concurrently from one event loop.
    """

    async def health(self) -> Answer: ...

    async def metrics(self) -> Answer: ...

    async def speak(
        self,
        text: str,
        language: str,
        *,
        skip: tuple[str, ...] = (),
        token: str | None = "",
        audio_format: str = "wav",
        extra: dict[str, object] | None = None,
    ) -> Answer:
        """Synthesise `text`. `skip`: providers to leave out (needs `api.headers.skip_providers`).

        `token`: "" uses the target's own, None sends none, anything else is sent as the bearer token. `extra` is
        merged into the request's JSON, to send what is wrong on purpose.
        """
        ...

    async def transcribe(
        self,
        audio: bytes,
        file_name: str,
        language: str | None,
        *,
        skip: tuple[str, ...] = (),
        token: str | None = "",
    ) -> Answer:
        """Transcribe an audio file; the answer's JSON has `text`."""
        ...

    async def aclose(self) -> None: ...


def health_of(answer: Answer) -> Health:
    """Decode a `/health` answer. Raises ApiError naming what is wrong: HTML, not JSON, no `system_status`."""
    told = _json_of(answer)
    status = _text(told, "system_status", "/health")
    if status is None:
        keys = ", ".join(sorted(map(str, told))[:8]) or "nothing"
        raise ApiError(f"/health answers {answer.status} with JSON but no system_status (it has: {keys})")
    listed = told.get("providers")
    if not isinstance(listed, dict | None):
        raise ApiError(f"/health: providers must map names to their state, not be {_kind(listed)}")
    known = {*Health.__struct_fields__} - {"more"}
    return Health(
        system_status=status,
        version=_text(told, "version", "/health"),
        revision=_text(told, "revision", "/health"),
        started_at=_text(told, "started_at", "/health"),
        providers={name: _provider(name, state) for name, state in (listed or {}).items()},
        more={name: value for name, value in told.items() if name not in known},
    )


def open_api(target: Target, host: Host) -> VoiceApi:
    """The client of the target's flavour. `host` is where a `python` worker runs."""
    if target.api.flavour == "python":
        from target.python_worker import PythonWorker

        return PythonWorker(target, host)
    from target.openai_audio import OpenAiAudio

    return OpenAiAudio(target)


def _json_of(answer: Answer) -> dict[str, object]:
    seen = f"/health answers {answer.status}"
    if 300 <= answer.status < 400:
        place = answer.headers.get("location", "elsewhere")
        raise WrongAddress(f"{seen}, a redirect to {place}: name that in api.url or api.paths.health")
    # A gateway's own page in place of a dead service has a 5xx: then the address is right and the service is not.
    elsewhere = WrongAddress if answer.status < _SERVER_ERROR else ApiError
    body = answer.body.lstrip()
    if body[:1] == b"<" or "html" in answer.headers.get("content-type", "").lower():
        raise elsewhere(f"{seen} with HTML, not /health JSON: is api.url the service itself?")
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        shown = repr(answer.text(60)) if body else "nothing"
        raise elsewhere(f"{seen} with {shown}, not JSON: is api.url the service itself?") from None
    if not isinstance(told, dict):
        raise elsewhere(f"{seen} with {_kind(told)}, not a JSON object: is api.url the service itself?")
    return told


def _provider(name: str, state: object) -> ProviderHealth:
    if isinstance(state, str):
        return ProviderHealth(status=state)
    if not isinstance(state, dict):
        raise ApiError(f"/health: providers.{name} must be an object, not {_kind(state)}")
    place = f"/health: providers.{name}"
    return ProviderHealth(
        status=_text(state, "status", place),
        response_time=_number(state, "response_time", place),
        success_rate=_number(state, "success_rate", place),
        last_error=_text(state, "last_error", place),
    )


def _text(where: dict[str, object], name: str, place: str) -> str | None:
    value = where.get(name)
    if not isinstance(value, str | None):
        raise ApiError(f"{place}: {name} must be text, not {_kind(value)}")
    return value


def _number(where: dict[str, object], name: str, place: str) -> float | None:
    value = where.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float | None):
        raise ApiError(f"{place}: {name} must be a number, not {_kind(value)}")
    return value


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "an object"
