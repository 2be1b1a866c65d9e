"""How a target is asked: one client interface, two flavours (`openai-audio` over HTTP, `python` in a worker)."""

from typing import Protocol

import msgspec

from target.description import Target
from target.host import Host


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
    """Decode a `/health` answer. Raises ApiError naming what is wrong: not JSON (HTML: "is this the right URL?"), no `system_status`."""
    raise NotImplementedError


def open_api(target: Target, host: Host) -> VoiceApi:
    """The client of the target's flavour. `host` is where a `python` worker runs."""
    raise NotImplementedError
