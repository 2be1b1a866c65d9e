"""The deployment of these tests: three providers, of whom a test says which fail."""

import json
from collections.abc import Iterator

import pytest

from rollback.actions.providers.probe import Answers
from tests.rollback.place import Place

ENV = (
    "# voice-v2\nNAME=old\nMODE=ok\nOPENAI_KEY=swordfish-openai\nGOOGLE_KEY=swordfish-google\n"
    "STT_PROVIDERS=openai,google,yandex  # in order\r\nYANDEX_KEY=swordfish-yandex\n"
    "TTS_PROVIDERS='openai, google, yandex'\nDB_PASSWORD=swordfish-one\nVERSION=2.3.1\n"
)
ENV_WITHOUT_GOOGLE = ENV.replace("openai,google,yandex", "openai,yandex").replace(
    "openai, google, yandex", "openai, yandex"
)


class Providers:
    """`failing` and `doubtful` are names; `asked` is who was asked."""

    def __init__(self) -> None:
        self.failing = {"google"}
        self.doubtful: set[str] = set()
        self.asked: list[str] = []

    async def ask_all(self, providers, variables):
        assert variables["OPENAI_KEY"] == "swordfish-openai", "the service's own credentials"
        names = [provider.name for provider in providers]
        self.asked += names
        return [Answers(name, 2, ("tts: 503 unavailable",) * self.wrong(name)) for name in names]

    def wrong(self, name):
        return 2 if name in self.failing else 1 if name in self.doubtful else 0


@pytest.fixture
def providers(monkeypatch: pytest.MonkeyPatch) -> Providers:
    told = Providers()
    monkeypatch.setattr("rollback.actions.providers.action.ask_all", told.ask_all)
    return told


@pytest.fixture
def chosen(quick: Place, providers: Providers) -> Iterator[Place]:
    """The quick deployment, told its providers by its environment; `again` brings it back to that."""
    quick.again = lambda: quick.reset(env=ENV, **described(quick))  # type: ignore[attr-defined]
    quick.again()  # type: ignore[attr-defined]
    yield quick
    for path in quick.folder.glob("voice-settings*"):
        path.unlink()


def described(place: Place, **settings: str) -> dict[str, object]:
    """What of a target these tests add."""
    return {
        "providers": [
            {"name": name, "kind": name, "key": f"{name.upper()}_KEY"}
            for name in ("openai", "google", "yandex")
        ],
        "provider_settings": settings or {"stt": "STT_PROVIDERS", "tts": "TTS_PROVIDERS"},
    }


@pytest.fixture
def settings_file(chosen: Place) -> Place:
    """The same, told by a file of its own."""
    path = chosen.folder / "voice-settings.json"
    entries = {
        name: {"enabled": True, "priority": turn}
        for turn, name in enumerate(("openai", "google", "yandex"), 1)
    }
    path.write_text(json.dumps({"STT": entries, "TTS": entries}, indent="\t"))
    chosen.env.write_text(f"{ENV}SETTINGS={path}\n")
    chosen.write_target(**described(chosen, stt="STT", tts="TTS", file=str(path)))
    chosen.restart()
    return chosen
