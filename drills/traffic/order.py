"""What the traffic is told: handed to Locust's process as JSON in one environment variable."""

import msgspec

VARIABLE = "VOICE_DRILL_TRAFFIC"


class Recording(msgspec.Struct, frozen=True):
    """Speech to be transcribed: an audio file and its language."""

    path: str
    language: str


class Text(msgspec.Struct, frozen=True):
    """Text to be spoken, and its language."""

    text: str
    language: str


class Order(msgspec.Struct, frozen=True):
    """Calls at a constant rate, whatever the answers are. `mark` is the client that the rows name."""

    url: str
    token: str
    mark: str
    ledger: str
    per_second: float
    texts: tuple[Text, ...]
    recordings: tuple[Recording, ...]

    def __repr__(self) -> str:
        return f"Order({self.url}, {self.per_second:g}/s)"
