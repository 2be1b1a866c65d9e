"""Faults of the providers' speed."""

import msgspec
from minio.deleteobjects import DeleteObject

from drills.faults import recorded
from drills.faults.fault import Fault, FaultError, Place
from drills.faults.provider.behaving import ProviderFault
from drills.operator import Operator
from drills.stacks.layout import write_private
from drills.stacks.storage import BUCKET

_RECORD_S = 120.0
_OWN = "client = 'rollback-suite'"  # the default of the target's `mark`


class _Written(msgspec.Struct, frozen=True):
    """How far the usage log was: the greatest id, and where the sequence of the ids stood."""

    last_id: int
    sequence: int


class SlowerThanRecorded(ProviderFault, frozen=True, kw_only=True):
    """A provider takes `fold` times what the service took by a record of when it took `usual_s` seconds itself.

    So the service takes at least as many times as long, however busy the machine is. The record is taken by the
    operator's own command. Afterwards there is no trace of it, nor of what the suite had the service write since.
    """

    usual_s: float
    fold: float

    def prepare(self, at: Place) -> None:
        super().prepare(at)
        recorded.set_aside(at)
        with at.stack.database() as connection:
            row = connection.execute(
                "SELECT (SELECT coalesce(max(id), 0) FROM voice_usage_logs), last_value FROM voice_usage_logs_id_seq"
            ).fetchone()
        assert row is not None
        write_private(at.saved / "written.json", msgspec.json.encode(_Written(int(row[0]), int(row[1]))))

    def inject(self, at: Place) -> None:
        at.stack.providers.set(self.provider, "ok", None, self.usual_s)
        typed = Operator(at.stack.layout.target_file).types("rollback", "record", limit_s=_RECORD_S)
        if typed.exit != 0:
            raise FaultError(f"{self.name}: no record of {self.provider} at its usual pace: {typed.says}")
        at.stack.providers.set(self.provider, "ok", None, self.fold * recorded.latency(at))

    def landed(self, at: Place) -> str:
        usual = recorded.latency(at)
        if usual < self.usual_s:
            raise FaultError(f"{self.name}: by the record, a synthesis took {usual:.2f} s")
        return f"{super().landed(at)}; by the record, a synthesis took {usual:.2f} s"

    def heal(self, at: Place) -> None:
        super().heal(at)
        recorded.put_back(at)
        self._forget(at)

    @staticmethod
    def _forget(at: Place) -> None:
        """Remove what the service wrote for the suite; ids go on after those that are left."""
        before = msgspec.json.decode((at.saved / "written.json").read_bytes(), type=_Written)
        with at.stack.database() as connection:
            # Until the sequence is set no one else takes an id of it.
            connection.execute("LOCK TABLE voice_usage_logs IN EXCLUSIVE MODE")
            gone = connection.execute(
                f"DELETE FROM voice_usage_logs WHERE id > %s AND {_OWN} RETURNING audio_key",  # noqa: S608  (a constant)
                (before.last_id,),
            ).fetchall()
            connection.execute(
                "SELECT setval('voice_usage_logs_id_seq', greatest(%s, (SELECT max(id) FROM voice_usage_logs)))",
                (before.sequence,),
            )
        objects = [DeleteObject(str(key)) for (key,) in gone if key is not None]
        failures = list(at.stack.store().remove_objects(BUCKET, objects))
        if failures:
            raise FaultError(f"{len(failures)} recordings cannot be removed: {failures[0].message}")


FAULTS: tuple[Fault, ...] = (
    ProviderFault(
        name="provider-slow-6s",
        says="openai takes six seconds to answer",
        part="openai",
        must=(
            *("average_tts_time", "average_stt_time", "average_response_time", "p95_response_time"),
            "response_time_increase",
        ),
        scenario=2,
        provider="openai",
        mode="ok",
        cure="providers",
        latency_s=6.0,
    ),
    ProviderFault(
        name="provider-slow-4-fold",
        says="openai takes 2.4 s to answer, four times what such a provider usually takes (0.6 s)",
        part="openai",
        must=("average_tts_time", "response_time_increase"),
        scenario=2,
        provider="openai",
        mode="ok",
        cure="providers",
        latency_s=2.4,
    ),
    SlowerThanRecorded(
        name="provider-slow-1.6-fold",
        says="openai makes the service 1.6 times as slow as it was recorded, and every other limit is kept",
        part="openai",
        must=("response_time_increase",),
        alone=True,
        scenario=2,
        provider="openai",
        mode="ok",
        cure="providers",
        usual_s=0.8,
        fold=1.6,
    ),
)
