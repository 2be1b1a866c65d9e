"""Every check goes red on what it is there for, names it, and is silent on a good deployment."""

import io
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile

from checks.slowdown import incomparable
from target.description import Budget
from target.record import LatencyRecord
from tests.checks.deployment import STARTED
from tests.checks.fakes import FakeVoice


def red(found: dict[str, Any]) -> set[str]:
    return {name for name, observation in found.items() if observation.outcome == "fail"}


def unknown(found: dict[str, Any]) -> set[str]:
    return {name for name, observation in found.items() if observation.outcome == "inconclusive"}


async def test_a_good_deployment_passes_everything(deployment: Any, judge: Any) -> None:
    found = await judge(deployment)
    assert {name: seen.evidence for name, seen in found.items() if seen.outcome != "pass"} == {}
    assert len(found) == 49


def break_health(d: Any) -> None:
    d.health["components"]["storage"] = {"status": "unhealthy", "error": "NoSuchBucket"}
    d.health["system_status"], d.health_status = "unhealthy", 503


def own_rows_gone(d: Any) -> None:
    d.writes = False


def corrupt(d: Any) -> None:
    audio, at = d.objects["tts/7.wav"]
    d.objects["tts/7.wav"] = (audio[:-1] + bytes([audio[-1] ^ 1]), at)


def late_corrupt(d: Any) -> None:
    """An object that is younger than the record."""
    d.write("tts", b"young", mark=None, at=1_700_000_100.0)
    d.objects["tts/21.wav"] = (b"gnuoy", 1_700_000_100.0)
    d.record = msgspec.structs.replace(
        d.record, database=msgspec.structs.replace(d.record.database, rows_per_day={"2026-11-19": 21})
    )


def orphan(d: Any) -> None:
    d.objects["tts/lost.wav"] = (b"lost", 1_700_000_100.0)


STILL = """# TYPE voice_requests_total counter
voice_requests_total{operation="tts"} 1
voice_requests_total{operation="stt"} 1
"""


def set_to(name: str, value: Any) -> Callable[[Any], None]:
    return lambda d: setattr(d, name, value)


def put(name: str, key: str, value: Any) -> Callable[[Any], None]:
    return lambda d: getattr(d, name).__setitem__(key, value)


def drop(name: str, key: Any) -> Callable[[Any], None]:
    return lambda d: getattr(d, name).__delitem__(key)


def crash(d: Any) -> None:
    d.pids = [4711, 4811, 4812, 4813]


def older_environment(d: Any) -> None:
    """The environment of 2.2.0 under the code of 2.3.1."""
    d.older = msgspec.structs.replace(d.older, environment=d.record.environment)
    d.record = msgspec.structs.replace(
        d.record, environment=msgspec.structs.replace(d.record.environment, values={"LOG_LEVEL": "newer"})
    )


def slower(d: Any) -> None:
    """1.6-fold: every limit on its own is kept."""
    d.seconds = 0.8
    d.record = msgspec.structs.replace(d.record, latency=d.latency(0.5))


def wav(samples: Any) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, 16000, format="WAV")
    return buffer.getvalue()


QUIET = wav(np.zeros(32000))
OTHER = wav(np.random.default_rng(3).normal(0, 0.2, 32000) * (np.arange(32000) // 2000 % 2))
TONE = wav(0.3 * np.sin(np.arange(48000) * 0.2))


BROKEN: list[tuple[str, Callable[[Any], None], set[str], str]] = [
    ("component", break_health, {"components_healthy"}, "storage is unhealthy: NoSuchBucket"),
    ("memory", set_to("resident", 2_000_000), {"memory_usage", "memory_increase"}, "2048 MB"),
    ("memory grown", set_to("resident", 901_000), {"memory_increase"}, "923 MB, recorded 307 MB"),
    ("clock ahead", set_to("clock_ahead", 3600.0), {"clock_offset"}, "s ahead of the clock here"),
    ("clock behind", set_to("clock_ahead", -62.5), {"clock_offset"}, "s behind the clock here"),
    ("disk full", set_to("room", (25_000, 4000, 7, 9)), {"disk_free"}, "/srv/.env: 100 MB free"),
    ("no inode left", set_to("room", (10**6, 4096, 0, 9)), {"disk_free"}, "0 MB free (no inode is left)"),
    ("slow health", set_to("seconds", 2.5), {"endpoint_response_time", "average_tts_time"}, "2000 ms"),
    (
        "slower than recorded",
        slower,
        {"response_time_increase"},
        "TTS median 0.50 s recorded (n 30), 0.80 s now (n ",
    ),
    (
        "version",
        put("health", "version", "2.4.0"),
        {"version_matches_record"},
        "serves 2.4.0, recorded 2.3.1",
    ),
    ("revision", put("health", "revision", "0000000"), {"revision_matches_record"}, "serves 0000000"),
    (
        "two versions",
        set_to("second", {"version": "2.4.0", "revision": "ffffffff", "started_at": "2026-11-21T09:00:00Z"}),
        {"version_matches_record", "revision_matches_record"},
        "serves 2.4.0 in ",
    ),
    (
        "env value",
        put("environment", "LOG_LEVEL", "DEBUG"),
        {"environment_matches_record", "process_runs_current_environment"},
        "1 variable changed: LOG_LEVEL",
    ),
    (
        "process env",
        put("process", "OPENAI_API_KEY", "old"),
        {"process_runs_current_environment"},
        "OPENAI_API_KEY",
    ),
    (
        "package",
        put("packages", "openai", "1.60.0"),
        {"packages_match_record"},
        "openai is 1.60.0, recorded 1.50.0",
    ),
    ("package gone", drop("packages", "openai"), {"packages_match_record"}, "openai is not installed"),
    ("python", set_to("python", "3.12.1"), {"packages_match_record"}, "Python is 3.12.1"),
    ("detached", put("venv", 2, ""), {"virtualenv_whole"}, "/srv/venv/pyvenv.cfg is not there"),
    ("interpreter", put("venv", 3, ""), {"virtualenv_whole"}, "/srv/venv/bin/python leads to no program"),
    (
        "scripts",
        put("venv", 4, "bin/tool\n#!/old/venv/bin/python\n"),
        {"virtualenv_whole"},
        "bin/tool (/old/venv/bin/python) points elsewhere",
    ),
    ("code", put("code", "app/api.py", "cc"), {"code_matches_record"}, "app/api.py"),
    (
        "stale code",
        set_to("code_changed", 1_700_000_050.0),
        {"process_runs_current_code"},
        "/srv/app/main.py was changed",
    ),
    (
        "stale bytecode",
        set_to("compiled_otherwise", ["/srv/app/main.py"]),
        {"process_runs_current_code"},
        "compiled of /srv/app/main.py, and runs, is something else",
    ),
    ("image", set_to("image", "sha256:ffff"), {"image_matches_record"}, "sha256:ffff"),
    ("crash loop", crash, {"no_crash_loop"}, "it restarted while it was being checked"),
    (
        "environment with faults",
        set_to("environment_faults", ("begins with a byte order mark",)),
        {"environment_matches_record"},
        "/srv/.env begins with a byte order mark",
    ),
    ("mixture", older_environment, {"environment_matches_record", "nothing_mixed"}, "environment of 2.2.0"),
    (
        "google refuses",
        put("provider_problem", "google", "401 UNAUTHENTICATED"),
        {"all_providers_healthy"},
        "google refuses its credentials, 6 of 6 asked directly: tts: 401 UNAUTHENTICATED",
    ),
    (
        "provider says something else",
        set_to("provider_says", lambda text: OTHER),
        {"all_providers_healthy"},
        "says 'чужое' for 'Короткий тест'",
    ),
    (
        "primary dead",
        put("provider_problem", "openai", "timed out"),
        {"all_providers_healthy", "primary_answers"},
        "google answered in its place",
    ),
    (
        "no fallback",
        set_to("enabled", ["openai"]),
        {"all_providers_healthy", "provider_fallback_working"},
        "tts without openai: 503 no provider",
    ),
    (
        "key gone",
        drop("environment", "YANDEX_API_KEY"),
        {"all_providers_healthy", "environment_matches_record"},
        "YANDEX_API_KEY is not in the environment file",
    ),
    (
        "empty audio",
        set_to("say", lambda text: b""),
        {"tts_audio_valid", "provider_fallback_working", "all_providers_healthy"},
        "the body is empty",
    ),
    ("silence", set_to("say", lambda text: QUIET), {"tts_audio_valid"}, "silence"),
    ("a tone", set_to("say", lambda text: TONE), {"tts_audio_valid"}, "no speech"),
    (
        "wrong words",
        set_to("hear", lambda text: "совсем другие слова " + text[:3]),
        {"stt_word_error_rate", "provider_fallback_working", "all_providers_healthy"},
        "came back as",
    ),
    ("errors", set_to("fails_every", 3), {"tts_success_rate"}, "502 every provider failed"),
    (
        "swallows bad input",
        set_to("refuses", False),
        {"bad_input_refused"},
        "is answered with 200 instead of a 4xx",
    ),
    ("bucket", set_to("bucket_there", False), {"bucket_exists", "writes_recorded"}, "has no bucket voice"),
    ("object gone", drop("objects", "tts/3.wav"), {"objects_match_record", "rows_have_objects"}, "tts/3.wav"),
    ("object corrupt", corrupt, {"objects_match_record", "rows_have_objects"}, "tts/7.wav"),
    ("young object corrupt", late_corrupt, {"rows_have_objects"}, "its content is not what row 21"),
    (
        "rows of a day",
        drop("rows", slice(3, 8)),
        {"rows_match_record"},
        "2026-11-19: 5 rows missing (15 of 20)",
    ),
    (
        "audio without its row",
        orphan,
        {"objects_have_rows"},
        "1 recordings without a row, for example tts/lost.wav",
    ),
    ("duplicates", set_to("duplicates", 2), {"no_duplicate_rows"}, "2 rows repeat"),
    ("sequence", set_to("sequence_gap", -5), {"sequence_ahead"}, "inserts will fail"),
    ("read-only", set_to("writable", False), {"database_writable"}, "read-only"),
    ("revision of the database", set_to("revision", "0002"), {"table_matches_record"}, "0002, recorded 0003"),
    (
        "table",
        set_to("table_there", False),
        {"table_matches_record"},
        "has no table voice_usage_logs",
    ),
    ("writes lost", own_rows_gone, {"writes_recorded"}, "acknowledged requests have no row"),
    ("no metrics", set_to("metrics_text", lambda: "<html>"), {"metrics_exposed"}, "no metric"),
    (
        "metrics stand still",
        set_to("metrics_text", lambda: STILL),
        {"metrics_move"},
        "no counter of stt moved",
    ),
    (
        "strangers",
        set_to("checks_token", False),
        {"token_required"},
        "speech without a token is answered with 200",
    ),
    (
        "secret in /health",
        put("health", "note", "sk-openai-secret"),
        {"no_secret_exposed"},
        "OPENAI_API_KEY stands in /health",
    ),
    (
        "secret in an error",
        set_to("error_note", " (database-password)"),
        {"no_secret_exposed"},
        "the password in DATABASE_URL stands in the answer to",
    ),
    (
        "traceback",
        set_to("error_note", "Traceback (most recent call last)"),
        {"debug_off"},
        "shows a traceback",
    ),
    ("debug", put("health", "debug", True), {"debug_off"}, "debug is on"),
]


# Wide limits need few samples: what is shown here does not hang on their number.
QUICK: dict[str, str | bool] = {
    "tts_success_rate": "> 90%",
    "tts_audio_valid": "> 90%",
    "stt_success_rate": "> 90%",
    "error_rate": "< 10%",
}


@pytest.mark.parametrize(
    ("spoil", "expected", "told"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN]
)
async def test_each_check_goes_red(
    deployment: Any, judge: Any, spoil: Callable[[Any], None], expected: set[str], told: str
) -> None:
    deployment.target = msgspec.structs.replace(deployment.target, criteria=QUICK)
    spoil(deployment)
    found = await judge(deployment)
    failed = red(found)
    assert expected <= failed, {name: found[name].evidence for name in failed}
    assert told in "\n".join(found[name].evidence for name in expected)
    assert all(found[name].next for name in failed)
    assert "sk-openai-secret" not in str(found)
    company = expected | COMPANY.get(min(expected), set())
    assert failed <= company, {name: found[name].evidence for name in failed}


# What may be red as well, since the one thing is wrong in several ways.
COMPANY: dict[str, set[str]] = {
    "average_tts_time": {"endpoint_response_time", "response_time_increase"},
    "tts_success_rate": {
        "stt_success_rate",
        "provider_fallback_working",
        "all_providers_healthy",
        "token_required",
    },
    "tts_audio_valid": {"all_providers_healthy", "provider_fallback_working", "tts_word_error_rate"},
    "all_providers_healthy": {"bad_input_refused"},
}


@pytest.mark.parametrize(
    ("name", "value"),
    [("clock_ahead", 40.0), ("clock_ahead", -40.0), ("resident", 890_000), ("room", (10**6, 4096, 0, 0))],
)
async def test_what_is_within_bounds_is_no_alarm(deployment: Any, judge: Any, name: str, value: Any) -> None:
    """The last: a file system that knows no limit of files."""
    setattr(deployment, name, value)
    assert red(await judge(deployment, "health")) == set()


async def test_a_provider_that_answers_us_and_not_the_service_is_told(deployment: Any, judge: Any) -> None:
    told = {"status": "unhealthy", "last_error": "no answer within 10 s"}
    deployment.health["providers"]["google"] = told
    found = await judge(deployment, "provider")
    assert red(found) == {"all_providers_healthy"}
    evidence = found["all_providers_healthy"].evidence
    assert (
        'google answers directly, but not the service: /health says "unhealthy": no answer within' in evidence
    )
    assert "--disable google" in found["all_providers_healthy"].next


async def test_a_provider_that_is_only_degraded_is_no_alarm(deployment: Any, judge: Any) -> None:
    deployment.health["providers"]["google"] = {"status": "degraded", "last_error": "HTTP 503"}
    assert red(await judge(deployment, "provider")) == set()


async def test_a_restart_is_told_although_it_does_not_answer_in_the_end(deployment: Any, judge: Any) -> None:
    deployment.healths_left = 1
    crash(deployment)
    found = await judge(deployment, "deployment")
    assert found["no_crash_loop"].outcome == "fail"


async def test_silence_in_the_end_of_the_same_process_is_no_restart(deployment: Any, judge: Any) -> None:
    deployment.healths_left = 1
    assert (await judge(deployment, "deployment"))["no_crash_loop"].outcome == "inconclusive"


async def test_a_stranger_who_meets_a_breakdown_was_neither_refused_nor_let_in(
    deployment: Any, judge: Any
) -> None:
    deployment.strangers_get = 502
    found = await judge(deployment, "security")
    assert found["token_required"].outcome == "inconclusive"
    assert "speech without a token is answered with 502" in found["token_required"].evidence


async def test_a_provider_that_stumbles_once_is_asked_again_and_passes(deployment: Any, judge: Any) -> None:
    deployment.provider_stumbles["google", "tts"] = {2}
    found = await judge(deployment, "provider")
    assert red(found) == set()
    assert deployment.provider_asked["google", "tts"] == 6
    assert deployment.provider_asked["openai", "tts"] == 3


async def test_a_provider_that_flaps_is_told_from_one_that_stumbled(deployment: Any, judge: Any) -> None:
    deployment.provider_stumbles["google", "tts"] = {2, 4, 6}
    found = await judge(deployment, "provider")
    assert red(found) == {"all_providers_healthy"}
    assert "google answers 3 of 9 direct questions wrong: tts: 503" in found["all_providers_healthy"].evidence


async def test_what_a_provider_cannot_make_out_itself_is_no_speech(deployment: Any, judge: Any) -> None:
    deployment.provider_says, deployment.provider_heard = lambda text: OTHER, "unintelligible"
    found = await judge(deployment, "provider")
    assert red(found) == {"all_providers_healthy"}
    assert (
        "cannot make out itself what it says for 'Короткий тест'" in found["all_providers_healthy"].evidence
    )


async def test_what_was_spoken_and_is_refused_when_it_comes_back_has_no_right_word(
    deployment: Any, judge: Any
) -> None:
    deployment.forgets = True
    found = await judge(deployment, "functional")
    assert red(found) == {"tts_word_error_rate"}
    assert "came back as ''" in found["tts_word_error_rate"].evidence


async def test_five_percent_errors_are_told_from_two(deployment: Any, judge: Any) -> None:
    deployment.fails_every = 16
    found = await judge(deployment, "functional")
    assert found["tts_success_rate"].outcome == "fail"
    assert "502 every provider failed" in found["tts_success_rate"].evidence


async def test_a_dead_service_fails_readiness_and_leaves_the_rest_undetermined(
    deployment: Any, judge: Any
) -> None:
    deployment.alive = False
    found = await judge(deployment)
    assert red(found) == {"service_ready"}
    assert "DATABASE_URL is not set" in found["service_ready"].evidence
    assert found["environment_matches_record"].outcome == "pass"
    assert "does not answer" in found["tts_success_rate"].evidence


async def test_what_becomes_of_bad_input_cannot_be_told_by_one_who_is_refused(
    deployment: Any, judge: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 401 refuses the caller, not what he sent."""
    monkeypatch.setattr(FakeVoice, "refusal", lambda api, _, why: api.answer(401, {"error": why}))
    deployment.refuses, deployment.fails_every = True, 1
    found = await judge(deployment, "functional")
    assert found["tts_success_rate"].outcome == "fail"
    assert found["bad_input_refused"].outcome == "inconclusive"
    assert "401" in found["bad_input_refused"].evidence


async def test_a_file_changed_a_moment_after_the_start_is_seen(deployment: Any, judge: Any) -> None:
    """A tenth of a second is enough, since the start is known to hundredths."""
    deployment.code_changed = STARTED + 0.1
    assert "process_runs_current_code" in red(await judge(deployment, "deployment"))
    deployment.code_changed = STARTED + 0.02
    assert "process_runs_current_code" not in red(await judge(deployment, "deployment"))


async def test_the_suites_own_recordings_of_before_are_missed_by_nobody(deployment: Any, judge: Any) -> None:
    """A bucket that was emptied has lost them for good: no backup has them, and that must not stay red for ever."""
    deployment.write("tts", b"gone", mark=deployment.target.mark, at=deployment.rows[-1].created + 1)
    own = len(deployment.rows) - 1
    del deployment.objects[deployment.rows[own].audio_key]
    found = await judge(deployment, "data")
    assert found["rows_have_objects"].outcome == "pass", found["rows_have_objects"].evidence
    deployment.rows[own] = msgspec.structs.replace(deployment.rows[own], mark=None)
    found = await judge(deployment, "data")
    assert found["rows_have_objects"].outcome == "fail"


async def test_a_service_that_was_only_just_started_has_not_restarted(deployment: Any, judge: Any) -> None:
    """supervisord names no process for the first moments; the rollback may have ended a moment ago."""
    deployment.pids = [None, None, 4711]
    found = await judge(deployment)
    assert {name: seen.evidence for name, seen in found.items() if seen.outcome != "pass"} == {}


async def test_a_slow_service_stops_sampling_early(deployment: Any, judge: Any) -> None:
    deployment.seconds = 6.0
    found = await judge(deployment, "performance", "functional")
    assert {"average_tts_time", "average_stt_time"} <= red(found)
    assert found["average_tts_time"].n <= 16
    assert "the average TTS time is already refuted" in found["tts_success_rate"].evidence


async def test_a_slow_health_endpoint_is_not_waited_for_hundreds_of_times(
    deployment: Any, judge: Any
) -> None:
    deployment.seconds = 2.5
    found = await judge(deployment, "health")
    assert found["endpoint_response_time"].outcome == "fail"
    assert found["endpoint_response_time"].n <= 16


@pytest.mark.parametrize(
    ("now", "tts", "stt", "outcome"),
    [
        (0.8, 0.5, 0.7, "fail"),
        (0.8, 0.7, 0.5, "fail"),
        (0.74, 0.5, 0.5, "pass"),
        (0.21, 0.02, 0.02, "pass"),
        (0.23, 0.02, 0.02, "fail"),
        (0.2, 0.8, 0.8, "pass"),
    ],
)
async def test_the_latency_is_compared_with_the_record_for_speech_and_transcripts_apart(
    deployment: Any, judge: Any, now: float, tts: float, stt: float, outcome: str
) -> None:
    deployment.target = msgspec.structs.replace(deployment.target, criteria=QUICK)
    deployment.seconds = now
    deployment.record = msgspec.structs.replace(deployment.record, latency=deployment.latency(tts, stt))
    found = (await judge(deployment, "performance"))["response_time_increase"]
    assert found.outcome == outcome, found.evidence
    assert f"STT median {stt:.2f} s recorded (n 30), {now:.2f} s now (n 30)" in found.evidence


async def test_too_few_answers_tell_nothing_of_an_increase(deployment: Any, judge: Any) -> None:
    deployment.target = msgspec.structs.replace(deployment.target, budget=Budget(requests=24))
    found = (await judge(deployment, "performance"))["response_time_increase"]
    assert (found.outcome, found.n) == ("inconclusive", 12)
    deployment.fails_every = 1
    found = (await judge(deployment, "performance"))["response_time_increase"]
    assert (found.outcome, found.evidence) == (
        "inconclusive",
        "the service answers no speech request with success",
    )


@pytest.mark.parametrize("latency", [LatencyRecord(), LatencyRecord((0.5,) * 9, (0.5,) * 30, 8)])
async def test_a_record_without_a_sample_is_not_compared_with(
    deployment: Any, judge: Any, latency: Any
) -> None:
    deployment.record = msgspec.structs.replace(deployment.record, latency=latency)
    assert "response_time_increase" not in await judge(deployment, "performance")


async def test_a_record_of_fewer_requests_at_once_is_not_compared_with(deployment: Any, judge: Any) -> None:
    sampled = msgspec.structs.replace(deployment.record.latency, concurrency=4)
    deployment.record = msgspec.structs.replace(deployment.record, latency=sampled)
    assert "response_time_increase" not in await judge(deployment, "performance")
    assert incomparable(sampled, 8) == (
        "the latency of the record is that of 4 requests at once, and 8 are sent now: while all is well, record again"
    )


async def test_a_small_budget_is_kept_and_said(deployment: Any, judge: Any) -> None:
    deployment.target = msgspec.structs.replace(deployment.target, budget=Budget(requests=60))
    found = await judge(deployment, "functional", "health")
    assert "tts_success_rate" in unknown(found)
    assert "requests that the budget has for it are sent" in found["tts_success_rate"].evidence


async def test_only_what_is_selected_is_asked(deployment: Any, survey_for: Any) -> None:
    survey = survey_for(deployment, "security")
    await survey.metrics_after()
    await survey.settled()
    assert len(deployment.rows) <= 20 + 2
    assert survey.requests < 20
    await survey.close()


async def test_the_latency_sample_runs_alone(deployment: Any, survey_for: Any) -> None:
    survey = survey_for(deployment)
    probing = survey.probes.start()
    voice = await survey.voice()
    assert not probing.done()
    assert len(voice.tts.samples) == 149
    assert len(voice.stt.samples) == 59
    assert len((await probing).samples) == 299
    await survey.close()


async def test_what_lives_on_is_looked_at_when_nothing_asks_the_service_any_more(
    deployment: Any, survey_for: Any
) -> None:
    survey = survey_for(deployment)
    last = survey.host.status_after.start()
    await survey.probes()
    assert not last.done()
    assert not survey.health_after.done
    deployment.pids = [4811]
    assert (await last).pid == 4811
    await survey.close()
