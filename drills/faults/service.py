"""Faults that the service shows to whoever asks it, whatever it is: made by the front before it."""

from collections.abc import Callable

from drills.faults.fault import Fault, FaultError, Place
from drills.front.behaviour import Behaviour
from drills.stacks.stack import Stack

_REFUSED = (401, 403)
_ERROR_EVERY = 20
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


def _errors(stack: Stack) -> str | None:
    asked = 2 * _ERROR_EVERY
    failed = sum(stack.ask("GET", "/health").status_code == 500 for _ in range(asked))
    return f"{failed} of {asked} requests to /health are answered 500" if failed else None


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


def _slow(stack: Stack) -> str | None:
    seconds = stack.ask("GET", "/health").elapsed.total_seconds()
    return f"/health takes {seconds:.1f} s" if seconds > 2 else None


FAULTS: tuple[Fault, ...] = (
    FrontFault(
        name="errors-5-percent",
        says="every twentieth request is answered 500",
        part="front",
        shows=("error_rate", "tts_success_rate", "stt_success_rate"),
        behaviour=Behaviour(error_share=1 / _ERROR_EVERY),
        seen=_errors,
    ),
    FrontFault(
        name="token-not-checked",
        says="requests without a token are served",
        part="front",
        shows=("token_required",),
        behaviour=Behaviour(admit_everyone=True),
        seen=_open_door,
    ),
    FrontFault(
        name="secret-in-health",
        says="/health shows the key of a provider",
        part="front",
        shows=("no_secret_exposed",),
        behaviour=Behaviour(health_secret=True),
        seen=_health_secret,
    ),
    FrontFault(
        name="secret-in-errors",
        says="error bodies show the key of a provider",
        part="front",
        shows=("no_secret_exposed",),
        behaviour=Behaviour(error_secret=True),
        seen=_error_secret,
    ),
    FrontFault(
        name="wrong-version-served",
        says="/health names another version than the one that was recorded",
        part="front",
        shows=("version_matches_record",),
        behaviour=Behaviour(health_version=_WRONG_VERSION),
        seen=_version,
    ),
    FrontFault(
        name="metrics-gone",
        says="/metrics is not there any more",
        part="front",
        shows=("metrics_exposed",),
        behaviour=Behaviour(metrics_gone=True),
        seen=_metrics,
    ),
    FrontFault(
        name="health-slow",
        says="/health takes two and a half seconds longer",
        part="front",
        shows=("endpoint_response_time", "service_ready"),
        behaviour=Behaviour(health_delay_s=2.5),
        seen=_slow,
    ),
)
