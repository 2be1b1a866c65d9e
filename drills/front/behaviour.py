"""What the front can be told to do wrong."""

from typing import Annotated

import msgspec


class Behaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the front misbehaves; as it is made here it passes everything on as it came.

    `error_share`: the share of requests (0 to 1) that is answered 500, evenly spread. `admit_everyone`: a request
    without the token is given it. `health_secret`, `error_secret`: a secret of the deployment stands in `/health`, in
    error bodies. `health_version`: the version that `/health` names. `health_delay_s`: seconds that `/health` takes
    longer. `health_green`: `/health` claims that all is well. `metrics_gone`: `/metrics` is 404. `metrics_frozen`:
    `/metrics` goes on to say what it said first. `second_port`: every third request goes to what listens there, beside
    the service.
    """

    error_share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    admit_everyone: bool = False
    health_secret: bool = False
    error_secret: bool = False
    health_version: str | None = None
    health_delay_s: float | None = None
    health_green: bool = False
    metrics_gone: bool = False
    metrics_frozen: bool = False
    second_port: int | None = None


class Knowledge(msgspec.Struct, frozen=True):
    """What the front has to know of the deployment to give it away: its bearer token and one other secret."""

    token: str
    secret: str

    def __repr__(self) -> str:
        return "Knowledge(••••)"
