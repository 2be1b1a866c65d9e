"""Where an action works: one host of a target, with its records, its service control and its redactor."""

import msgspec

from target.description import Target
from target.errors import TargetError
from target.host import Host
from target.record import Records
from target.redact import Redactor
from target.service import Service, service_of


class Site(msgspec.Struct, frozen=True):
    """One host of a target. `state_dir` is where lock, journals and records lie on it."""

    target: Target
    host: Host
    records: Records
    controller: Service | None
    redactor: Redactor

    @property
    def state_dir(self) -> str:
        return self.target.state_dir.rstrip("/") or "/"

    @property
    def service(self) -> Service:
        """The service control. Raises TargetError when the target file names none."""
        if self.controller is None:
            raise TargetError(
                f"{self.target.source or self.target.name}: no `service`: say how it is restarted "
                "(systemd, compose or supervisor)"
            )
        return self.controller


def site_of(target: Target, url: str, redactor: Redactor) -> Site:
    """The site of one of the target's hosts. Raises TargetError."""
    host = Host(url)
    return Site(target, host, Records(host, target.state_dir), service_of(target, host), redactor)
