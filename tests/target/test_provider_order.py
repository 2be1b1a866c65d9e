"""Which providers the service uses: read from its environment, from a file of settings, and from `/health`."""

import json

import pytest

from target import choice as choices
from target.api import Answer
from target.choice import Choice, ChoiceError
from target.description import Api, Environment, Provider, ProviderSettings, Target
from target.errors import TargetError
from target.host import Host
from target.provider_order import Order, OrderError, in_place, order_of, order_told_by, path_of

BOTH = Order(("openai", "google"), ("google", "openai"))


def target_with(folder="/srv", *, file=None, reader="python-dotenv", stt="STT", tts="TTS"):
    return Target(
        name="t",
        api=Api(url="http://127.0.0.1:1"),
        state_dir=f"{folder}/state",
        environment=Environment(f"{folder}/.env", f"{folder}/.env.previous", reader),
        providers=tuple(Provider(name, name, "KEY") for name in ("openai", "google", "yandex")),
        provider_settings=ProviderSettings(stt=stt, tts=tts, file=file),
    )


def answer(data):
    return Answer(status=200, seconds=0, started=0, body=json.dumps(data).encode(), headers={})


@pytest.mark.parametrize("reader", ["python-dotenv", "systemd", "compose", "compose-v1"])
def test_of_the_environment(reader):
    content = b'# who\nSTT="openai, Google"\nTTS=google,openai\nOTHER=1\n'
    assert order_of(content, target_with(reader=reader)) == BOTH


def test_what_is_empty_or_absent_is_the_services_own_order():
    every = ("openai", "google", "yandex")
    assert order_of(b"STT=\nA=1\n", target_with()) == Order(every, every)


@pytest.mark.parametrize("value", ["openai,openai", "openai,,google", "open ai", "a;b", "${OTHER}/x"])
def test_a_variable_that_is_no_list_is_told_without_its_value(value):
    with pytest.raises(OrderError, match=r"/srv/\.env: STT is not a list of providers") as caught:
        order_of(f"STT={value}\nTTS=google\n".encode(), target_with())
    assert value not in str(caught.value)


YAML = b"""\
stt: {openai: {enabled: true, priority: 1}, google: {priority: 2, enabled: yes}}
tts:
  openai: {enabled: true, priority: 7}
  google: {enabled: true, priority: 3}
  yandex: {enabled: false, priority: 1}
"""


def test_of_a_file_of_settings(tmp_path):
    target = target_with(stt="stt", tts="tts", file="/srv/voice.yaml")
    assert path_of(target) == "/srv/voice.yaml"
    assert order_of(YAML, target) == BOTH
    entry = {"enabled": True, "priority": 1}
    content = json.dumps({"stt": {"openai": entry}, "tts": {"openai": entry}}).encode()
    alone = target_with(stt="stt", tts="tts", file="/srv/voice.json")
    assert order_of(content, alone) == Order(("openai",), ("openai",))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"stt: [openai", r"cannot be read \(line 1\)"),
        (b"- a\n", "holds no mapping of settings"),
        (b"stt: {}\n", "tts must map each provider"),
        (b"stt: {}\ntts: {openai: {enabled: 1, priority: 1}}\n", "tts must map each provider"),
        (b"\xff", "cannot be read: UnicodeDecodeError"),
    ],
)
def test_a_file_that_cannot_be_understood(content, says):
    with pytest.raises(OrderError, match=f"/srv/voice.yaml: {says}"):
        order_of(content, target_with(stt="stt", tts="tts", file="/srv/voice.yaml"))


def test_of_health():
    told = {
        "google": {"stt_priority": 2, "tts_priority": 1},
        "openai": {"stt_priority": 1, "tts_priority": 2},
        "yandex": {"stt_priority": None, "tts_priority": None},
    }
    assert order_told_by(answer({"providers": told})) == BOTH
    assert order_told_by(answer({"providers": {"openai": {"status": "healthy"}}})) is None
    assert order_told_by(answer({})) is None
    assert order_told_by(answer([])) is None


def test_a_target_that_does_not_say():
    with pytest.raises(TargetError, match="no `provider_settings`"):
        path_of(Target(name="t", api=Api(url="http://127.0.0.1:1")))


def test_shown_once_where_both_are_alike():
    assert str(Order(("a", "b"), ("a", "b"))) == "a, b"
    assert str(BOTH) == "openai, google for STT and google, openai for TTS"


class TestChoice:
    CHOICE = Choice(
        since="2026-11-23T14:02:10.000Z",
        by="jo@desk",
        run="20261123T140210Z-providers",
        disabled=("yandex",),
        raised="openai",
        order=BOTH,
    )

    @pytest.fixture
    def place(self, tmp_path):
        (tmp_path / "state").mkdir()
        (tmp_path / ".env").write_text("STT=openai,google\nTTS=google,openai\n")
        (tmp_path / "state" / "providers.json").write_bytes(choices.render(self.CHOICE))
        return tmp_path

    def test_in_force_while_the_file_says_so(self, place):
        target, host = target_with(str(place)), Host("local://")
        assert in_place(target, host) == BOTH
        assert choices.in_force(target, host) == self.CHOICE
        assert choices.variables(target) == {"STT", "TTS"}
        (place / ".env").write_text("STT=openai\nTTS=google,openai\n")
        assert choices.in_force(target, host) is None
        (place / ".env").write_text("STT=;\n")
        assert choices.in_force(target, host) is None
        (place / ".env").unlink()
        assert choices.in_force(target, host) is None

    def test_none_was_made(self, place):
        (place / "state" / "providers.json").unlink()
        assert choices.in_force(target_with(str(place)), Host("local://")) is None

    @pytest.mark.parametrize("content", ["{", '{"since": 1}', "[]"])
    def test_damaged(self, place, content):
        (place / "state" / "providers.json").write_text(content)
        with pytest.raises(ChoiceError, match=r"providers\.json on local:// is damaged"):
            choices.in_force(target_with(str(place)), Host("local://"))

    def test_says_who_what_and_since_when(self):
        assert self.CHOICE.says == (
            "yandex is disabled on purpose since 2026-11-23 14:02 by jo@desk, openai is first"
        )
