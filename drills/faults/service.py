"""Faults that the service shows to whoever asks it: made by the front before it, or by a change of its own code."""

from collections.abc import Callable
from pathlib import Path

from drills.faults import provider
from drills.faults.changed import ChangedOnHost, edited
from drills.faults.fault import Fault, FaultError, Place
from drills.faults.several import Together
from drills.front.behaviour import Behaviour
from drills.stacks.stack import Stack
from target.wait import Seen, eventually

_REFUSED = (401, 403)
_BROKE_DOWN = 500
_END = """
import os as _os
import signal as _signal
import threading as _threading

_threading.Timer({seconds}, _os.kill, (_os.getpid(), _signal.SIGTERM)).start()
"""
_RESTARTS_S = 20.0
_ASKED = 100
_WRONG_VERSION = "2.4.0"


class FrontFault(Fault, frozen=True):
    """The front misbehaves; `seen` asks through it and gives evidence, None where nothing is wrong."""

    behaviour: Behaviour
    seen: Callable[[Stack], str | None]

    def inject(self, at: Place) -> None:
        at.stack.front.become(self.behaviour)

    def landed(self, at: Place) -> str:
        evidence = self.seen(at.stack)
        if evidence is None:
            raise FaultError(f"{self.name}: asked through the front, nothing is wrong")
        return evidence

    def heal(self, at: Place) -> None:
        at.stack.front.become(Behaviour())
        if self.seen(at.stack) is not None:
            raise FaultError(f"{self.name}: told to behave, the front misbehaves")


class PaintedOver(Together, frozen=True):
    """Something is broken, and `/health` claims that all is well."""


class EndsItself(ChangedOnHost, frozen=True, kw_only=True):
    """Its process ends `after_s` seconds after its start, and restarts."""

    after_s: float

    def changed(self, text: str) -> str:
        return text + _END.format(seconds=self.after_s)

    def seen(self, stack: Stack) -> str:
        first = _started(stack)

        def look() -> Seen:
            now = _started(stack)
            return Seen(now not in (None, first), f"started {now}")

        waited = eventually(look, deadline_s=self.after_s + _RESTARTS_S)
        if not waited.met:
            raise FaultError(f"{self.name}: the process that started {first} goes on")
        return f"the service started {first}, and again {waited.seconds:.0f} s later ({waited.seen})"


class BreaksDown(ChangedOnHost, frozen=True, kw_only=True):
    """Of a text that it should refuse it looks at the first character, which an empty one does not have."""

    def changed(self, text: str) -> str:
        return edited(text, "if not self.text.strip():", "if not self.text.strip()[0].isprintable():")

    def seen(self, stack: Stack) -> str:
        # It breaks down before any provider is asked and any row is written.
        status = stack.ask("POST", "/v1/audio/speech", direct=True, json={"input": " "}).status_code
        if status != _BROKE_DOWN:
            raise FaultError(f"{self.name}: an empty text is answered {status}")
        return f"an empty text is answered {status}, and not refused"


def _started(stack: Stack) -> object:
    return (stack.health() or {}).get("started_at")


def _errors(stack: Stack) -> str | None:
    failed = sum(stack.ask("GET", "/health").status_code == _BROKE_DOWN for _ in range(_ASKED))
    return f"{failed} of {_ASKED} requests to /health are answered 500" if failed else None


def _open_door(stack: Stack) -> str | None:
    # An empty request is refused either way, so nothing is spoken or stored.
    answer = stack.ask("POST", "/v1/audio/speech", token=False, json={})
    if answer.status_code in _REFUSED:
        return None
    return f"a request without a token is answered {answer.status_code}, not 401"


def _health_secret(stack: Stack) -> str | None:
    told = stack.secrets.openai_api_key in stack.ask("GET", "/health").text
    return "the key of openai stands in /health" if told else None


def _error_secret(stack: Stack) -> str | None:
    body = stack.ask("POST", "/v1/audio/speech", token=False, json={}).text
    return (
        "the key of openai stands in the body of an error" if stack.secrets.openai_api_key in body else None
    )


def _version(stack: Stack) -> str | None:
    version = stack.ask("GET", "/health").json().get("version")
    return f"/health names version {version}" if version == _WRONG_VERSION else None


def _metrics(stack: Stack) -> str | None:
    status = stack.ask("GET", "/metrics").status_code
    return None if status == 200 else f"/metrics is answered {status}"


def _frozen(stack: Stack) -> str | None:
    before = stack.ask("GET", "/metrics").text
    # An empty request is refused and counted; nothing is spoken or stored.
    stack.ask("POST", "/v1/audio/speech", direct=True, json={})
    same = stack.ask("GET", "/metrics").text == before
    return "/metrics says the same before and after a request that was counted" if same else None


def _green(stack: Stack) -> str | None:
    if not stack.front.state().health_green:
        return None
    return f"/health says {stack.ask('GET', '/health').json().get('system_status')}, whatever is"


def _slow(stack: Stack) -> str | None:
    seconds = stack.ask("GET", "/health").elapsed.total_seconds()
    return f"/health takes {seconds:.1f} s" if seconds > 2 else None


_GREEN = FrontFault(
    name="health-painted-green",
    says="/health claims that all is well, whatever is",
    part="front",
    behaviour=Behaviour(health_green=True),
    seen=_green,
)


def _of(faults: tuple[Fault, ...], name: str) -> Fault:
    return next(fault for fault in faults if fault.name == name)


# What is asked only once or twice can fall on one error among many requests.
_ASKED_ONCE = (
    *("stt_success_rate", "all_providers_healthy", "provider_fallback_working"),
    *("bad_input_refused", "metrics_exposed", "service_ready"),
)

FAULTS: tuple[Fault, ...] = (
    *(
        FrontFault(
            name=f"errors-{percent}-percent",
            says=f"{percent} % of the requests are answered 500",
            part="front",
            must=("error_rate", "tts_success_rate") if percent > 5 else ("error_rate",),
            # Of the 400 syntheses of a run 16 to 24 fail at 5 %, and 18 refute the 2 % that are allowed.
            may=_ASKED_ONCE if percent > 5 else (*_ASKED_ONCE, "tts_success_rate"),
            # The usual requests do not tell so small a share, and so what was asked once can be all that they tell.
            shows=("error_rate", *_ASKED_ONCE) if percent < 2 else (),
            scenario=2 if percent >= 10 else None,
            behaviour=Behaviour(error_share=percent / 100),
            seen=_errors,
            # By simulation 94 of 100 services that fail so at random are refuted within the 10 000 probes of this.
            budget=24_000 if percent < 2 else None,
            alone=percent < 2,
        )
        for percent in (10, 6, 5, 1.5)
    ),
    FrontFault(
        name="token-not-checked",
        says="requests without a token are served",
        part="front",
        must=("token_required",),
        scenario=1,
        behaviour=Behaviour(admit_everyone=True),
        seen=_open_door,
    ),
    FrontFault(
        name="secret-in-health",
        says="/health shows the key of a provider",
        part="front",
        must=("no_secret_exposed",),
        scenario=1,
        behaviour=Behaviour(health_secret=True),
        seen=_health_secret,
    ),
    FrontFault(
        name="secret-in-errors",
        says="error bodies show the key of a provider",
        part="front",
        must=("no_secret_exposed",),
        scenario=1,
        behaviour=Behaviour(error_secret=True),
        seen=_error_secret,
    ),
    FrontFault(
        name="wrong-version-served",
        says="/health names another version than the one that was recorded",
        part="front",
        must=("version_matches_record",),
        behaviour=Behaviour(health_version=_WRONG_VERSION),
        seen=_version,
    ),
    FrontFault(
        name="metrics-gone",
        says="/metrics is not there any more",
        part="front",
        must=("metrics_exposed",),
        behaviour=Behaviour(metrics_gone=True),
        seen=_metrics,
    ),
    FrontFault(
        name="counters-frozen",
        says="/metrics goes on to say what it said before",
        part="front",
        must=("metrics_move",),
        behaviour=Behaviour(metrics_frozen=True),
        seen=_frozen,
    ),
    FrontFault(
        name="health-slow",
        says="/health takes two and a half seconds longer",
        part="front",
        must=("endpoint_response_time",),
        behaviour=Behaviour(health_delay_s=2.5),
        seen=_slow,
    ),
    PaintedOver(
        name="health-always-green",
        says="openai is unavailable, and /health claims that all is well",
        part="front and openai",
        must=("all_providers_healthy", "primary_answers"),
        scenario=1,
        cure="providers",
        faults=(_of(provider.FAULTS, "primary-dead-behind-fallback"), _GREEN),
    ),
    EndsItself(
        name="restarts-during-checks",
        says="the service was changed on the host, ends three seconds after its start, and starts again",
        part="code",
        must=("no_crash_loop", "code_matches_record"),
        # Whatever is asked while it is away; which trigger is seen first, failures or the restart, is chance.
        may=(
            *("service_ready", "endpoint_response_time", "error_rate", "components_healthy"),
            *("all_providers_healthy", "primary_answers", "provider_fallback_working"),
            *("tts_success_rate", "stt_success_rate", "speech_formats_accepted", "bad_input_refused"),
            *("average_tts_time", "average_stt_time", "average_response_time", "p95_response_time"),
            *("response_time_increase", "metrics_exposed", "metrics_move"),
        ),
        shows=("error_rate", "service_ready", "code_matches_record", "no_crash_loop"),
        cure="files",
        file=Path("orchestrator.py"),
        after_s=3.0,
    ),
    BreaksDown(
        name="bad-input-breaks-down",
        says="the service was changed on the host, and breaks down on an empty text instead of refusing it",
        part="code",
        must=("bad_input_refused", "code_matches_record"),
        cure="files",
        file=Path("core/schemas.py"),
    ),
)
