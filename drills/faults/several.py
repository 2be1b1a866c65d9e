"""Faults of several parts at once, as a whole deployment that went wrong leaves them."""

from drills.faults import code, configuration
from drills.faults.fault import Fault, Place


class Together(Fault, frozen=True):
    """Several faults, injected in this order and healed in the other."""

    faults: tuple[Fault, ...]

    def prepare(self, at: Place) -> None:
        for fault, place in self._places(at):
            place.saved.mkdir(mode=0o700)
            fault.prepare(place)

    def inject(self, at: Place) -> None:
        for fault, place in self._places(at):
            fault.inject(place)

    def landed(self, at: Place) -> str:
        # The last one knows how the service is now, and waits for it.
        return "; ".join(fault.landed(place) for fault, place in reversed(self._places(at)))

    def heal(self, at: Place) -> None:
        for fault, place in reversed(self._places(at)):
            fault.heal(place)

    def _places(self, at: Place) -> list[tuple[Fault, Place]]:
        return [(fault, Place(at.stack, at.saved / fault.name)) for fault in self.faults]


def _of(faults: tuple[Fault, ...], *names: str) -> tuple[Fault, ...]:
    return tuple(fault for name in names for fault in faults if fault.name == name)


FAULTS: tuple[Fault, ...] = (
    Together(
        name="bad-release-and-environment",
        says="release 2.4.0 was deployed with an .env that names a bucket that does not exist",
        part="code and environment",
        must=(
            "components_healthy",
            "version_matches_record",
            "revision_matches_record",
            "environment_matches_record",
            "code_matches_record",
            "tts_success_rate",
            "stt_success_rate",
        ),
        shows=("components_healthy",),
        scenario=3,
        cure="set",
        faults=_of(
            (*code.FAULTS, *configuration.FAULTS),
            "bad-release-deployed",
            "bucket-name-wrong",
        ),
    ),
)
