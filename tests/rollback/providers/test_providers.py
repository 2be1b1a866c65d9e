"""The action `providers` from the command line, on a real process that says which providers it uses."""

import json
import urllib.request

import pytest

from target import environment
from target.choice import Choice, in_force
from target.host import Host
from target.load import load
from target.record import EnvironmentRecord, Record, Records
from tests.rollback.providers.conftest import ENV, ENV_WITHOUT_GOOGLE

pytestmark = pytest.mark.drill


def uses(place):
    with urllib.request.urlopen(f"http://127.0.0.1:{place.port}/health", timeout=2) as answer:
        told = json.load(answer)["providers"]
    return sorted(told, key=lambda name: told[name]["stt_priority"])


def remembered(place):
    return json.loads((place.state / "providers.json").read_text())


def words(out):
    return " ".join(out.split())


def is_old(place):
    place.wait_for(lambda: place.serves() == "old")
    assert place.env.read_bytes().decode() == ENV
    assert uses(place) == ["openai", "google", "yandex"]
    assert not (place.state / "providers.json").exists()


def is_new(place):
    assert place.env.read_bytes().decode() == ENV_WITHOUT_GOOGLE
    assert place.env.stat().st_mode & 0o777 == 0o640
    assert uses(place) == ["openai", "yandex"]
    assert remembered(place)["disabled"] == ["google"]
    assert not list(place.folder.glob(".env.next.*"))


@pytest.mark.covers("providers", "apply", "second", "undo")
def test_the_failing_one_is_found_left_out_and_brought_back(chosen):
    code, out = chosen.run("providers")
    assert code == 0, out
    assert "2 of 2 asked directly: tts: 503 unavailable" in words(out)
    assert "uses openai, yandex" in words(out)
    is_new(chosen)
    assert (next(chosen.folder.glob(".env.failed.*")).read_bytes().decode()) == ENV
    choice = in_force(load(chosen.target, environ={}), Host("local://"))
    assert isinstance(choice, Choice)
    assert (choice.disabled, choice.raised) == (("google",), "openai")
    before = chosen.inventory()
    code, out = chosen.run("providers")
    assert (code, chosen.inventory()) == (0, before)
    assert "google is disabled on purpose since" in words(out)
    assert chosen.run("providers", "--disable", "google")[0] == 0
    assert chosen.inventory() == before
    code, out = chosen.run("providers", "--undo")
    assert code == 0, out
    is_old(chosen)


@pytest.mark.covers("providers", "dry-run")
def test_a_dry_run_shows_who_and_changes_nothing(chosen):
    before = chosen.inventory()
    code, out = chosen.run("providers", "--dry-run", "--disable", "openai", "--raise", "yandex")
    assert (code, chosen.inventory()) == (0, before)
    assert "providers yandex, google without openai" in out
    assert f"write {chosen.state}/providers.json: openai is disabled on purpose" in words(out)


def test_named_ones_and_the_one_to_raise(chosen, providers):
    providers.failing.clear()
    code, out = chosen.run("providers", "--disable", "google", "--disable", "openai", "--raise", "yandex")
    assert code == 0, out
    assert uses(chosen) == ["yandex"]
    assert providers.asked == ["yandex"], "those that are left out need not answer"
    assert remembered(chosen)["disabled"] == ["google", "openai"]


def test_one_more_later_and_the_first_one_back_in_turn(chosen, providers):
    assert chosen.run("providers")[0] == 0
    first = remembered(chosen)
    providers.failing.add("openai")
    assert chosen.run("providers")[0] == 0
    assert uses(chosen) == ["yandex"]
    assert remembered(chosen)["disabled"] == ["google", "openai"]
    code, out = chosen.run("providers", "--undo")
    assert code == 0, out
    assert remembered(chosen) == first
    providers.failing.clear()
    assert chosen.run("providers", "--raise", "google")[0] == 0
    assert uses(chosen) == ["google", "openai", "yandex"]
    assert remembered(chosen)["disabled"] == []


def test_going_back_to_the_environment_of_before_makes_the_choice_void(chosen):
    assert chosen.run("providers")[0] == 0
    chosen.previous.write_bytes(ENV.encode())
    code, out = chosen.run("environment")
    assert code == 0, out
    assert uses(chosen) == ["openai", "google", "yandex"]
    target = load(chosen.target, environ={})
    assert in_force(target, Host("local://")) is None
    assert chosen.run("environment", "--undo")[0] == 0
    assert in_force(target, Host("local://")) is not None, "and undoing that puts it in force again"


def test_in_a_file_of_settings(settings_file):
    path = settings_file.folder / "voice-settings.json"
    before, env = path.read_text(), settings_file.env.read_bytes()
    code, out = settings_file.run("providers", "--disable", "openai")
    assert code == 0, out
    assert uses(settings_file) == ["yandex", "google"], "google fails, and is not raised"
    assert len(path.read_text().splitlines()) == len(before.splitlines())
    assert path.read_text().count('"enabled": false') == 2
    assert settings_file.env.read_bytes() == env
    code, out = settings_file.run("providers", "--undo")
    assert code == 0, out
    assert path.read_text() == before
    assert uses(settings_file) == ["openai", "google", "yandex"]


def test_a_service_that_reads_another_file_is_found_out_and_all_is_undone(settings_file):
    path = settings_file.folder / "voice-settings.json"
    before = path.read_text()
    settings_file.env.write_bytes(ENV.encode())
    settings_file.restart()
    code, out = settings_file.run("providers")
    assert code == 1, out
    assert "the service uses openai, google, yandex, and" in words(out)
    assert path.read_text() == before
    assert not (settings_file.state / "providers.json").exists()


def test_one_that_was_left_out_by_hand_is_made_a_choice(chosen):
    chosen.env.write_bytes(ENV_WITHOUT_GOOGLE.encode())
    chosen.restart()
    code, out = chosen.run("providers", "--disable", "google")
    assert code == 0, out
    assert remembered(chosen)["disabled"] == ["google"]
    assert not list(chosen.folder.glob(".env.failed.*")), "the file says so already"
    before = chosen.inventory()
    assert chosen.run("providers", "--disable", "google")[0] == 0
    assert chosen.inventory() == before
    assert chosen.run("providers", "--undo")[0] == 0
    assert not (chosen.state / "providers.json").exists()


def without_telling(place):
    place.env.write_bytes(place.env.read_bytes().replace(b"_PROVIDERS", b"_NAMES"))
    target = json.loads(place.target.read_text())
    settings = {"stt": "STT_NAMES", "tts": "TTS_NAMES"}
    place.target.write_text(json.dumps({**target, "provider_settings": settings}))
    place.restart()


def test_a_service_that_does_not_tell_is_told_so(chosen):
    without_telling(chosen)
    code, out = chosen.run("providers")
    assert code == 0, out
    assert "does not tell which providers it uses" in str(chosen.journals()[-1])


def only_one_left(place, providers):
    return "--disable", "openai", "--disable", "google", "--disable", "yandex"


def all_fail(place, providers):
    providers.failing = {"openai", "google", "yandex"}
    return ()


def the_raised_one_fails(place, providers):
    return "--raise", "google"


def unknown(place, providers):
    return "--disable", "acme"


def written_otherwise(place, providers):
    place.env.write_bytes(ENV.encode().replace(b"=openai,google,yandex", b'="openai,\\\ngoogle,yandex"'))
    return ()


def not_a_list(place, providers):
    place.env.write_bytes(ENV.encode().replace(b"=openai,google,yandex", b"=openai;google"))
    return ()


def gone(place, providers):
    place.env.unlink()
    return ()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (only_one_left, "at least one has to stay enabled"),
        (all_fail, "no provider that would be left answers right for both operations with these credentials"),
        (the_raised_one_fails, "google does not answer right for both operations with these credentials"),
        (unknown, "no provider is called 'acme': there is openai, google, yandex"),
        (written_otherwise, "STT_PROVIDERS is not"),
        (not_a_list, "STT_PROVIDERS is not a list of providers"),
        (gone, ".env is not there"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
@pytest.mark.covers("providers", "refused")
def test_refused_with_nothing_changed(chosen, providers, spoil, says):
    arguments = spoil(chosen, providers)
    before = chosen.inventory()
    code, out = chosen.run("providers", *arguments)
    assert (code, chosen.inventory()) == (5, before), out
    assert says in words(out)
    assert "nothing was changed" in words(out)
    assert "swordfish" not in out


def test_nothing_fails_and_nothing_is_named(chosen, providers):
    providers.failing.clear()
    before = chosen.inventory()
    code, out = chosen.run("providers")
    assert (code, chosen.inventory()) == (0, before)
    assert "openai, google, yandex answer as they should, in that order; it took them" in words(out)
    assert "--disable NAME leaves one out all the same; nothing to do" in words(out)
    providers.doubtful = {"google"}
    code, out = chosen.run("providers")
    assert (code, chosen.inventory()) == (0, before)
    assert "no provider fails every time" in words(out)
    assert "name it with --disable to leave it out" in words(out)


def test_a_file_that_says_so_and_a_process_that_does_not_know(chosen):
    chosen.env.write_bytes(ENV_WITHOUT_GOOGLE.encode())
    before = chosen.inventory()
    code, out = chosen.run("providers")
    assert (code, chosen.inventory()) == (5, before)
    assert "already says openai, yandex, and process" in words(out)
    assert "quickctl restart voice" in words(out)


def test_a_service_that_is_ill_of_something_else(chosen, providers):
    providers.failing.clear()
    chosen.env.write_bytes(ENV.replace("MODE=ok", "MODE=sick").encode())
    chosen.restart()
    before = chosen.inventory()
    code, out = chosen.run("providers")
    assert (code, chosen.inventory()) == (5, before)
    assert "no provider fails every time, and yet /health says 'unhealthy'" in words(out)
    assert "checks triage" in words(out)


def test_undone_though_the_file_is_gone(chosen):
    assert chosen.run("providers")[0] == 0
    chosen.env.unlink()
    code, out = chosen.run("providers", "--undo")
    assert code == 0, out
    is_old(chosen)
    assert "swordfish" not in out


def test_no_settings_in_the_target(chosen):
    target = json.loads(chosen.target.read_text())
    del target["provider_settings"]
    chosen.target.write_text(json.dumps(target))
    code, out = chosen.run("providers")
    assert code == 4
    assert "no `provider_settings`: say how the service is told its providers" in words(out)


def test_no_secret_is_written_anywhere(chosen):
    _, out = chosen.run("providers")
    written = [path.read_text() for path in chosen.state.rglob("*") if path.is_file()]
    assert written
    assert not any("swordfish" in text for text in (out, *written))


def test_who_wrote_the_file_meanwhile_is_not_overruled(chosen, kill_after_line):
    chosen.run_and_kill(kill_after_line(4), "providers")
    chosen.env.write_text("NAME=by-hand\nMODE=ok\n")
    before = chosen.inventory()
    code, out = chosen.run("providers")
    assert (code, chosen.inventory()) == (5, before)
    assert "neither the old nor the new file" in words(out)
    assert chosen.run("providers", "--undo")[0] == 0
    assert chosen.env.read_bytes().decode() == ENV


def test_an_unfinished_run_is_not_turned_to_other_providers(chosen, kill_after_line):
    chosen.run_and_kill(kill_after_line(3), "providers")
    before = chosen.inventory()
    code, out = chosen.run("providers", "--disable", "openai")
    assert (code, chosen.inventory()) == (5, before)
    assert "an unfinished run goes to openai, yandex" in words(out)


@pytest.mark.covers("providers", "kill", "apply", "undo", "second")
def test_killed_after_every_line(chosen, survives_kills):
    survives_kills(
        chosen,
        ["providers"],
        reset=chosen.again,
        is_new=lambda: is_new(chosen),
        is_old=lambda: is_old(chosen),
    )


def test_status_calls_a_choice_known_good_and_tells_it(chosen):
    records = Records(Host("local://"), str(chosen.state))
    values = environment.read(chosen.env.read_bytes(), "python-dotenv").variables
    keyed = {name: records.keyed_hash(value.encode()) for name, value in values.items()}
    recorded = EnvironmentRecord(records.keyed_hash(chosen.env.read_bytes()), keyed)
    good = {"version": "2.3.1", "revision": "a1b2c3d4e5f6a7b8c9d0", "taken_by": "me", "state": "healthy"}
    records.save(Record(name="good", taken_at="2026-11-20T09:12:00Z", environment=recorded, **good))
    records.expect("good")
    assert chosen.run("providers")[0] == 0
    told = json.loads(chosen.run("status", "--json")[1])
    host = told["hosts"][0] if "hosts" in told else told
    assert host["good"] is True, host
    assert "google is disabled on purpose since" in host["why"]
    assert host["next"] == "pytest -m post_rollback"
    chosen.env.write_bytes(chosen.env.read_bytes().replace(b"NAME=old", b"NAME=new"))
    told = json.loads(chosen.run("status", "--json")[1])
    host = told["hosts"][0] if "hosts" in told else told
    assert host["good"] is False, "another variable is not explained by it"
