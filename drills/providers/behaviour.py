"""How each stand-in behaves at present, and what it was asked: the state behind the control port."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

import msgspec

from drills.providers.catalogue import PROVIDERS, Provider

STAND_IN = "voice-v2-rollback"
"""What the header X-Stand-In and the control port say, so that nobody takes this for the real thing."""

Mode = Literal[
    "ok",
    "unauthorized",
    "rate_limited",
    "server_error",
    "unavailable",
    "hang",
    "empty_audio",
    "silence",
    "truncated",
    "wrong_words",
    "wrong_language",
    "flapping",
    "reset",
]
Operation = Literal["tts", "stt"]
Asked = Literal["tts", "stt", "list"]
"""What a request is: synthesis, recognition, or the cheap listing (of models, of voices)."""

AUDIO_MODES: frozenset[Mode] = frozenset({"empty_audio", "silence", "truncated"})
"""Modes that spoil audio: they apply to synthesis only."""

CONTENT_MODES: frozenset[Mode] = AUDIO_MODES | {"wrong_words", "wrong_language"}
"""Modes that spoil what is said: a listing knows none of them."""


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to behave: `operation` null means all, `latency_s` null the usual latency (seconds), `every` n
    only each n-th request (null: each)."""

    mode: Mode
    operation: Operation | None = None
    latency_s: Annotated[float, msgspec.Meta(ge=0, le=3600)] | None = None
    every: Annotated[int, msgspec.Meta(ge=1)] | None = None


class Counter(msgspec.Struct):
    """Requests of one kind since the start, and how many of them were made to go wrong or to wait."""

    requests: int = 0
    misbehaved: int = 0


class Standing(msgspec.Struct):
    """One provider: the order in force for each kind of request, and the counters."""

    orders: dict[Asked, Order]
    counters: dict[Asked, Counter]


class State(msgspec.Struct, frozen=True):
    """What the control port tells."""

    stand_in: str
    providers: dict[Provider, Standing]


class Decision(msgspec.Struct, frozen=True):
    """What to do with one request; `latency_s` null means the usual latency."""

    mode: Mode = "ok"
    latency_s: float | None = None


class OrderError(ValueError):
    """An order that cannot be followed; the message says why."""


class Desk:
    """Takes orders and decides about each request."""

    def __init__(self) -> None:
        kinds = get_args(Asked)
        self._standings = {p: Standing({}, {kind: Counter() for kind in kinds}) for p in PROVIDERS}
        self._seen: dict[tuple[Provider, Asked], int] = {}

    def state(self) -> State:
        return State(STAND_IN, self._standings)

    def follow(self, provider: Provider, order: Order) -> None:
        """Put the order in force from the next request on. Raises OrderError where it means nothing."""
        if order.operation == "stt" and order.mode in AUDIO_MODES:
            raise OrderError(f"mode {order.mode} spoils audio and recognition sends none: ask it of tts")
        if order.mode in AUDIO_MODES:
            kinds: tuple[Asked, ...] = ("tts",)
        elif order.operation is not None:
            kinds = (order.operation,)
        elif order.mode in CONTENT_MODES:
            kinds = ("tts", "stt")
        else:
            kinds = get_args(Asked)
        for kind in kinds:
            self._standings[provider].orders[kind] = order
            self._seen[provider, kind] = 0

    def heal(self, provider: Provider) -> None:
        """Forget every order to this provider; the counters go on."""
        self._standings[provider].orders.clear()

    def decide(self, provider: Provider, kind: Asked) -> Decision:
        """Count one request and say what becomes of it."""
        standing = self._standings[provider]
        counter = standing.counters[kind]
        counter.requests += 1
        order = standing.orders.get(kind)
        if order is None:
            return Decision()
        self._seen[provider, kind] += 1
        turn, left_over = divmod(self._seen[provider, kind], order.every or 1)
        if left_over:
            return Decision()
        mode = order.mode
        if mode == "flapping":
            mode = "unavailable" if turn % 2 == 0 else "ok"
        if mode != "ok" or order.latency_s is not None:
            counter.misbehaved += 1
        return Decision(mode, order.latency_s)
