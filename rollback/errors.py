"""How a rollback can end other than well; each message says what is wrong, where, and what to do next."""

from target.errors import TargetError


class Refused(TargetError):
    """The action was not begun, or not gone on with: nothing was changed (exit 5)."""


class StepFailed(TargetError):
    """A step did not bring about what it says; `evidence` are lines that show why (the service's log, for one)."""

    def __init__(self, message: str, evidence: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.evidence = evidence


class LockLost(TargetError):
    """Somebody broke the lock while the action ran: it stops where it is, and whoever holds the lock goes on."""
