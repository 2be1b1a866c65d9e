"""Faults of what the environment says of the providers: their addresses, and their order."""

import re
import socket
import ssl
from collections.abc import Callable

from drills.faults.configuration import EnvironmentFault, value
from drills.faults.fault import Fault, FaultError, Place
from drills.network.behaviour import Behaviour, Way
from drills.providers.catalogue import Provider
from drills.stacks.layout import LOOPBACK

_ASK_S = 3.0
_TWICE = "openai,openai,google"
# RFC 6761: no name under `invalid` ever resolves.
_NOWHERE = "api.openai.invalid"


class UnresolvedAddress(EnvironmentFault, frozen=True):
    """The name that `.env` gives for a provider does not resolve."""

    def landed(self, at: Place) -> str:
        told = super().landed(at)
        try:
            socket.getaddrinfo(_NOWHERE, 80)
        except socket.gaierror as error:
            return f"{told}; {_NOWHERE}: {error.strerror}"
        raise FaultError(f"{self.name}: {_NOWHERE} resolves here")


class ExpiredCertificate(EnvironmentFault, frozen=True, kw_only=True):
    """What answers for a provider speaks TLS, with a certificate that has expired."""

    provider: Provider

    def inject(self, at: Place) -> None:
        at.stack.network.become(Behaviour({self.provider: Way(expired=True)}))
        super().inject(at)

    def landed(self, at: Place) -> str:
        told = super().landed(at)
        address = (LOOPBACK, getattr(at.stack.ports, f"way_{self.provider}"))
        try:
            # Even to one who trusts whoever issued it.
            trusting = ssl.create_default_context(cadata=ssl.get_server_certificate(address, timeout=_ASK_S))
            with socket.create_connection(address, _ASK_S) as plain:
                trusting.wrap_socket(plain, server_hostname="localhost").close()
        except ssl.SSLCertVerificationError as error:
            return f"{told}; its certificate: {error.verify_message}"
        except OSError as error:
            raise FaultError(f"{self.name}: no TLS there: {error}") from None
        raise FaultError(f"{self.name}: the certificate is good")

    def heal(self, at: Place) -> None:
        at.stack.network.become(Behaviour())
        super().heal(at)


class ProviderOrder(EnvironmentFault, frozen=True):
    """The order of providers in `.env` is none."""


def _address(name: str, pattern: str, new: str) -> Callable[[bytes], bytes]:
    """An edit of part of an address, wherever it leads."""

    def edit(content: bytes) -> bytes:
        found = re.search(rf"^{name}=(.+)$".encode(), content, re.MULTILINE)
        if found is None:
            raise FaultError(f".env does not have {name}")
        return value(name, re.sub(pattern, new, found[1].decode(), count=1))(content)

    return edit


def _both(first: Callable[[bytes], bytes], second: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda content: second(first(content))


FAULTS: tuple[Fault, ...] = (
    UnresolvedAddress(
        name="provider-name-unresolved",
        says="the address of openai in .env has a name that does not resolve",
        part="environment",
        must=("environment_matches_record", "all_providers_healthy", "primary_answers"),
        scenario=3,
        cure="environment",
        edit=_address("OPENAI_BASE_URL", r"://[^:/]+", f"://{_NOWHERE}"),
    ),
    ExpiredCertificate(
        name="provider-certificate-expired",
        says="the address of openai in .env leads to a TLS certificate that has expired",
        part="environment",
        must=("environment_matches_record", "all_providers_healthy", "primary_answers"),
        scenario=3,
        cure="environment",
        edit=_address("OPENAI_BASE_URL", "^http:", "https:"),
        provider="openai",
    ),
    ProviderOrder(
        name="provider-priorities-equal",
        says="openai stands twice in the order of providers in .env, and the service does not start",
        part="environment",
        must=("service_ready", "environment_matches_record"),
        scenario=3,
        cure="environment",
        edit=_both(value("STT_PROVIDERS", _TWICE), value("TTS_PROVIDERS", _TWICE)),
        then="down",
    ),
    ProviderOrder(
        name="providers-all-disabled",
        says="no provider is enabled in .env, and the service does not start",
        part="environment",
        must=("service_ready", "environment_matches_record"),
        scenario=3,
        cure="environment",
        edit=_both(value("STT_PROVIDERS", "none"), value("TTS_PROVIDERS", "none")),
        then="down",
    ),
)
