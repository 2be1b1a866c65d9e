"""Faults of the network between the service and what it talks to.

On both stacks a relay of ours stands there (`drills/network`), which delays, holds back and resets; it cannot lose
packets, so that loss is made in the network namespace of the voice host.
"""

import contextlib
import socket
import time

from drills.faults.fault import Fault, FaultError, Place
from drills.network.behaviour import Behaviour, Way
from drills.providers.catalogue import PROVIDERS
from drills.stacks.errors import StackError
from drills.stacks.layout import LOOPBACK, write_private

_ASK_S = 1.0
_ANSWER_S = 10.0
_LOOKS = 2
_HTTP = b"GET / HTTP/1.1\r\nHost: way\r\nConnection: close\r\n\r\n"
# PostgreSQL answers the question for TLS with one letter.
_SQL = bytes.fromhex("0000000804d2162f")


class NetworkFault(Fault, frozen=True):
    """Ways from the service to `ways` misbehave as `way` says."""

    ways: tuple[str, ...]
    way: Way

    def prepare(self, at: Place) -> None:
        # Its cure leaves a provider out there.
        write_private(at.saved / ".env", at.stack.layout.environment.read_bytes())

    def inject(self, at: Place) -> None:
        at.stack.network.become(Behaviour(dict.fromkeys(self.ways, self.way)))

    def landed(self, at: Place) -> str:
        found = [(name, self._seen(at, name)) for name in self.ways]
        well = [name for name, evidence in found if evidence is None]
        if well:
            raise FaultError(f"{self.name}: the way to {', '.join(well)} is as it should be")
        if "postgres" in self.ways:
            # Its first look, over a connection that was good until now, takes as long as PostgreSQL's client waits.
            at.stack.wait_service(status="unhealthy")
        return "; ".join(f"on the way to {name} {evidence}" for name, evidence in found)

    def _seen(self, at: Place, name: str) -> str | None:
        """What is wrong with a way when it is used, None where nothing is."""
        within_s = _ASK_S if self.way.partitioned else _ANSWER_S
        answer, error, seconds = travel(getattr(at.stack.ports, f"way_{name}"), name, within_s)
        if self.way.partitioned:
            return f"nothing comes within {_ASK_S:g} s" if isinstance(error, TimeoutError) else None
        if self.way.reset:
            # What publishes the port of a container passes a reset on as an end.
            cut_off = isinstance(error, OSError) or len(answer) < promised(answer)
            return f"the connection is cut off after {len(answer)} bytes" if cut_off else None
        late = seconds >= 2 * self.way.latency_s and answer
        return f"an answer takes {seconds * 1000:.0f} ms" if late else None

    def heal(self, at: Place) -> None:
        at.stack.network.become(Behaviour())
        for name in self.ways:
            answer, error, _ = travel(getattr(at.stack.ports, f"way_{name}"), name, _ANSWER_S)
            if error is not None or not answer:
                raise FaultError(f"{self.name}: told to behave, the way to {name} does not ({error})")
        write_private(at.stack.layout.environment, (at.saved / ".env").read_bytes())
        # A new process has forgotten what it saw, and has connections that were never held up.
        at.stack.restart_service()


class PacketLoss(Fault, frozen=True, kw_only=True):
    """A share of the packets from and to the voice host is dropped, by a rule of its own firewall."""

    share: float

    def inject(self, at: Place) -> None:
        for chain, rule in self._rules():
            at.stack.host.must(["iptables", "-I", chain, *rule])

    def landed(self, at: Place) -> str:
        for _ in range(_LOOKS):
            with contextlib.suppress(StackError):  # an answer may be lost
                at.stack.ask("GET", "/health")
        lost = {chain: self._dropped(at, chain) for chain, _ in self._rules()}
        if not all(lost.values()):
            raise FaultError(f"{self.name}: asked {_LOOKS} times, packets dropped: {lost}")
        told = " and ".join(f"{count} packets of {chain}" for chain, count in lost.items())
        return f"asked {_LOOKS} times, {told} were dropped"

    def heal(self, at: Place) -> None:
        for chain, rule in self._rules():
            if at.stack.host.run(["iptables", "-C", chain, *rule]).ok:
                at.stack.host.must(["iptables", "-D", chain, *rule])
        at.stack.restart_service()

    def _rules(self) -> list[tuple[str, list[str]]]:
        """The rule in each chain; what the host says to itself is not lost."""
        drop = ["-m", "statistic", "--mode", "random", "--probability", str(self.share), "-j", "DROP"]
        return [("INPUT", ["!", "-i", "lo", *drop]), ("OUTPUT", ["!", "-o", "lo", *drop])]

    def _dropped(self, at: Place, chain: str) -> int:
        """How many packets the rule has dropped: the first number of its line."""
        lines = at.stack.host.must(["iptables", "-nvxL", chain]).splitlines()
        return sum(int(line.split()[0]) for line in lines if " DROP " in line and "statistic" in line)


def travel(port: int, name: str, within_s: float) -> tuple[bytes, OSError | None, float]:
    """Use a way as the service would: what came back, what went wrong, and the seconds until it ended."""
    began, answer, error = time.monotonic(), b"", None
    try:
        with socket.create_connection((LOOPBACK, port), within_s) as connection:
            connection.sendall(_SQL if name == "postgres" else _HTTP)
            while True:
                piece = connection.recv(4096)
                answer += piece
                if not piece or name == "postgres":
                    break
    except OSError as problem:
        error = problem
    return answer, error, time.monotonic() - began


def promised(answer: bytes) -> int:
    """How many bytes an HTTP answer has to have by what its head says; 0 where that says nothing."""
    head, end, _ = answer.partition(b"\r\n\r\n")
    for line in head.lower().splitlines():
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return len(head) + len(end) + int(value)
    return 0


FAULTS: tuple[Fault, ...] = (
    NetworkFault(
        name="network-latency",
        says="whatever the service asks of a provider takes 1.2 s there and 1.2 s back",
        part="network",
        must=("average_tts_time", "response_time_increase"),
        may=("average_response_time",),
        scenario=2,
        ways=PROVIDERS,
        way=Way(latency_s=1.2),
    ),
    NetworkFault(
        name="partition-from-database",
        says="nothing gets through between the service and its database, and nobody is told",
        part="network",
        must=("components_healthy", "tts_success_rate", "stt_success_rate"),
        may=(
            *("endpoint_response_time", "error_rate"),
            *("average_tts_time", "average_stt_time", "average_response_time", "p95_response_time"),
            "response_time_increase",
        ),
        shows=("components_healthy", "endpoint_response_time"),
        scenario=3,
        ways=("postgres",),
        way=Way(partitioned=True),
    ),
    NetworkFault(
        name="partition-from-provider",
        says="nothing gets through between the service and openai, which answers anyone else",
        part="network",
        must=("all_providers_healthy", "tts_success_rate", "stt_success_rate"),
        may=(
            *("primary_answers", "average_tts_time", "average_stt_time"),
            *("average_response_time", "p95_response_time", "response_time_increase"),
        ),
        scenario=1,
        cure="providers",
        ways=("openai",),
        way=Way(partitioned=True),
    ),
    NetworkFault(
        name="reset-mid-body",
        says="connections to openai are reset in the middle of its answers",
        part="network",
        must=("all_providers_healthy", "primary_answers"),
        scenario=1,
        cure="providers",
        ways=("openai",),
        way=Way(reset=True),
    ),
    PacketLoss(
        name="network-loss",
        says="three of five packets from and to the host of the service are lost",
        part="network",
        must=("service_ready",),
        scenario=1,
        stacks=("containers",),
        share=0.6,
    ),
)
