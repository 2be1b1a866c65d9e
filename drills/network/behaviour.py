"""What the network can be told to do wrong."""

from typing import Annotated

import msgspec

ROUTES = ("postgres", "storage", "openai", "google", "yandex")


class Way(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How one way misbehaves; as it is made here it passes everything on as it came.

    `latency_s`: seconds that everything takes longer, there and back again each. `bytes_per_s`: how much gets through
    on each connection, in each direction; 0: as much as comes. `partitioned`: nothing gets through,
    nobody is told. `reset`: the connection is reset in the middle of the body of an HTTP answer. `expired`: who
    speaks TLS is shown a certificate that has expired, anyone else is passed on.
    """

    latency_s: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.0
    bytes_per_s: Annotated[int, msgspec.Meta(ge=0)] = 0
    partitioned: bool = False
    reset: bool = False
    expired: bool = False


class Behaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ways that misbehave, by the name of what they lead to; all others are well."""

    ways: dict[str, Way] = {}
