"""What the three dialects have in common: what is asked, how it is refused, who speaks it."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from drills.providers.behaviour import Asked
from drills.providers.catalogue import Language, Provider
from drills.providers.sound import Clip

Kind = Literal["bad_request", "unauthorized", "rate_limited", "server_error", "unavailable"]

RETRY_AFTER_S = "1"

UNKNOWN_TEXT = (
    "This is a stand-in, not the real provider: it can only say the phrases of its catalogue "
    "(drills/providers/phrases/catalogue.yaml), and this text is not among them."
)
UNKNOWN_SPEECH = (
    "This is a stand-in, not the real provider: it only recognises the phrases of its catalogue "
    "(drills/providers/phrases/catalogue.yaml) in the language asked for, and this is none of them."
)
UNKNOWN_LANGUAGE = "This is a stand-in, not the real provider: it knows Russian and English only."
FIXED_SPEED = "This is a stand-in, not the real provider: it speaks at speed 1.0 only."


class RefusedError(Exception):
    """The request is answered with this response, an error in the provider's own shape."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


class Speech(msgspec.Struct, frozen=True):
    """A synthesis asked for: `codec` as in `sound.CODECS` or `pcm`, `rate` in Hz."""

    text: str
    codec: str
    rate: int


class Recording(msgspec.Struct, frozen=True):
    """A recognition asked for; `language` null: any. `form` is how the answer is wanted."""

    clip: Clip
    language: Language | None
    form: str = "json"


class Dialect(Protocol):
    """One provider's wire format. The readers raise RefusedError for what the provider would refuse."""

    name: Provider
    routes: tuple[tuple[str, str, Asked], ...]

    def refusal(self, kind: Kind, message: str | None = None) -> Response:
        """An error in the provider's shape; without a message, the provider's usual one."""

    def authorise(self, request: Request) -> None:
        """Check the credentials in the headers or the query."""

    async def read_speech(self, request: Request) -> Speech: ...

    async def read_recording(self, request: Request) -> Recording: ...

    def speech(self, asked: Speech, audio: bytes) -> Response: ...

    def transcript(self, asked: Recording, text: str) -> Response: ...

    def listing(self) -> Response: ...


def answer(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """The object as JSON."""
    return Response(msgspec.json.encode(body), status, headers, "application/json; charset=UTF-8")
