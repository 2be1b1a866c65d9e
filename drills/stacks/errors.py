"""What can go wrong with a stack, said so that a person can act on it."""

from target.errors import TargetError


class StackError(TargetError):
    """A stack cannot be made, reached or changed; the message names the part and shows what it said last."""


class PortTakenError(StackError):
    """A port that was free when it was chosen is taken now; choosing others is worth a try."""
