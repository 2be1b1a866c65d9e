"""The control port: JSON over HTTP by which drills make the stand-ins misbehave.

`GET /` the state, `PUT /providers/NAME` an order (`behaviour.Order`), `DELETE /providers/NAME` heals one,
`DELETE /providers` heals all. Each answers with the state; bad input with `{"error": …}`, 400 or 404.
"""

from __future__ import annotations

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from drills.providers.behaviour import Desk, Order, OrderError
from drills.providers.catalogue import PROVIDERS
from drills.providers.wire import answer


def app(desk: Desk) -> Starlette:
    """The control port's application over this desk."""

    async def state(_: Request) -> Response:
        return answer(desk.state())

    async def order(request: Request) -> Response:
        name = request.path_params["name"]
        provider = next((p for p in PROVIDERS if p == name), None)
        if provider is None:
            return answer({"error": f"no provider {name!r}; there are {', '.join(PROVIDERS)}"}, 404)
        if request.method == "DELETE":
            desk.heal(provider)
            return answer(desk.state())
        try:
            desk.follow(provider, msgspec.json.decode(await request.body(), type=Order))
        except (msgspec.DecodeError, OrderError) as error:
            return answer({"error": f"this order cannot be followed: {error}"}, 400)
        return answer(desk.state())

    async def heal(_: Request) -> Response:
        for provider in PROVIDERS:
            desk.heal(provider)
        return answer(desk.state())

    return Starlette(
        routes=[
            Route("/", state, methods=["GET"]),
            Route("/providers", heal, methods=["DELETE"]),
            Route("/providers/{name}", order, methods=["PUT", "DELETE"]),
        ]
    )
