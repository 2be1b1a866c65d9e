"""What an action could go back to, as far as a glance at the host tells."""

import msgspec


class Way(msgspec.Struct, frozen=True):
    """`says` what there is to go back to, in one line; `usable`: one can, and it would change something.

    `same`: all of it is in place already. `records` are the names of those whose state it would bring back.
    """

    action: str
    says: str
    usable: bool
    records: tuple[str, ...] = ()
    same: bool = False
