"""Telling the network how to misbehave."""

from drills.front.control import ControlOf
from drills.network.behaviour import Behaviour


class Control(ControlOf[Behaviour]):
    """The control port of a relay. Calls raise `StackError` when it does not answer or refuses."""

    def __init__(self, host: str, port: int, token: str) -> None:
        super().__init__("network", Behaviour, host, port, token)
