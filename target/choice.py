"""The deliberate choice of providers: which are disabled, by whom, since when; what runs differs from the record."""

import msgspec

from target import provider_order
from target.description import Target
from target.errors import HostError, TargetError
from target.host import Host
from target.provider_order import Order, OrderError

FORMAT = 1

_READ = '[ ! -e "$1" ] || cat -- "$1"'


class ChoiceError(TargetError):
    """The file that holds the choice cannot be read."""


class Choice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`disabled` are out of use; `raised` is first in turn. `since` is ISO 8601 in UTC; `order` is what was written.

    `run` is the run of `python -m rollback providers` that made it.
    """

    format: int = FORMAT
    since: str
    by: str
    run: str
    disabled: tuple[str, ...]
    raised: str
    order: Order

    @property
    def says(self) -> str:
        """`google is disabled on purpose since 2026-11-23 14:02 by jo@desk, openai is first`."""
        verb = "is" if len(self.disabled) == 1 else "are"
        out = (
            f"{', '.join(self.disabled)} {verb} disabled on purpose" if self.disabled else "chosen on purpose"
        )
        return f"{out} since {self.since[:16].replace('T', ' ')} by {self.by}, {self.raised} is first"


def path(state_dir: str) -> str:
    """Where the choice is kept on the host."""
    return f"{state_dir.rstrip('/')}/providers.json"


def render(choice: Choice) -> bytes:
    """As kept: JSON for people."""
    return msgspec.json.format(msgspec.json.encode(choice)) + b"\n"


def read(host: Host, state_dir: str) -> Choice | None:
    """The choice that was last made on this host, in force or not. Raises ChoiceError, HostError."""
    where = path(state_dir)
    ran = host.shell(_READ, where)
    if not ran.ok:
        raise ChoiceError(f"{where} on {host.url} cannot be read: {ran.stderr.strip()}")
    if not ran.stdout:
        return None
    try:
        choice = msgspec.json.decode(ran.stdout, type=Choice)
    except msgspec.DecodeError as error:
        raise ChoiceError(
            f"{where} on {host.url} is damaged ({error}): move it away; what was chosen is in the journals"
        ) from None
    return choice


def in_force(target: Target, host: Host) -> Choice | None:
    """The choice, where the file in place still says what was chosen: whatever puts other settings back makes it void.

    Raises TargetError.
    """
    if target.provider_settings is None:
        return None
    choice = read(host, target.state_dir)
    if choice is None:
        return None
    try:
        told = provider_order.in_place(target, host)
    except (HostError, OrderError):
        return None
    return choice if told == choice.order else None


def apart_from(values: dict[str, str], names: frozenset[str]) -> dict[str, str]:
    """All values but those of these names."""
    return {name: value for name, value in values.items() if name not in names}


def variables(target: Target) -> frozenset[str]:
    """The variables of the environment file in which a choice in force may differ from the record."""
    settings = target.provider_settings
    if settings is None or settings.file is not None:
        return frozenset()
    return frozenset(provider_order.keys_of(settings))
