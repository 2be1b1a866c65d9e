"""The course of a drill with everything around it faked: each thing that goes wrong leads to its verdict."""

import json
from types import SimpleNamespace

import msgspec
import pytest

from drills import drill as drilling
from drills.faults.active import Active
from drills.faults.fault import Fault, FaultError
from drills.inventory import Broken, Inventory, Object, OnHost, Part, Row
from drills.operator import Typed
from drills.runfolder import RunFolder
from drills.stacks.errors import StackError
from drills.stacks.layout import Layout
from drills.stacks.storage import BUCKET
from drills.traffic.ledger import Call
from drills.traffic.traffic import TrafficError
from target.errors import HostError

CANARY = "canary-secret-of-the-stack"
FAULT = Fault(
    name="env-wrong",
    says="broken",
    part="environment",
    must=("service_ready",),
    scenario=3,
    cure="environment",
)
UNCURED = Fault(name="storage-gone", says="broken", part="storage", must=("bucket_exists",), scenario=1)
COMMAND = "python -m rollback environment --target /x/target.yaml"


class Secrets(msgspec.Struct, frozen=True):
    api_token: str = CANARY


class World:
    """What a drill works with; its fields say what goes wrong."""

    def __init__(self, folder):
        self.layout = Layout(folder)
        self.layout.logs.mkdir()
        (self.layout.state / "journals").mkdir(parents=True)
        self.layout.target_file.write_text(
            json.dumps(
                {"name": "drill", "api": {"url": "http://127.0.0.1:1"}, "state_dir": str(self.layout.state)}
            )
        )
        self.secrets = Secrets()
        self.url = "http://127.0.0.1:1"
        self.kind = "processes"
        self.supervisor = SimpleNamespace(wait_settled=lambda: None)
        self.scenario, self.command = 3, COMMAND
        self.exits = {"rollback": 0, "triage": 1, "snapshot": 0}
        self.checks = [0, 0]
        self.not_landed = None
        self.traffic_dies = False
        self.traffic_fails = None
        self.lost_rows = self.lost_objects = False
        self.damage = {}
        self.heals_not = None
        self.slow_s = 0.0
        self.raises = {}
        self.active = []
        self.calls = []
        self.typed = []
        self.now = 0
        self.running = False

    def log(self, name, lines):
        return [f"{name} used {CANARY}"]

    def wait_service(self):
        pass

    def inject(self, stack, name):
        if self.not_landed:
            raise FaultError(self.not_landed)
        self.active.append(Active(name, "now", "seen"))
        return f"it says {CANARY}"

    def heal(self, stack, name):
        if self.heals_not:
            raise FaultError(self.heals_not)
        self.active = []

    def settle(self, stack, target_file):
        self.typed.append(("settled",))
        self.heal(stack, None)

    def types(self, *words, limit_s):
        self.typed.append(words)
        kind = words[1] if words[:2] in (("checks", "triage"), ("rollback", "snapshot")) else words[0]
        if kind in self.raises:
            raise self.raises[kind]
        if kind == "pytest":
            return self._judges(words)
        out = ""
        if kind == "triage":
            cure = {"level": 1, "says": "x", "command": self.command} if self.command else None
            out = json.dumps({"scenario": self.scenario, "cure": cure, "exit_code": 1})
        return Typed(" ".join(words), self.exits[kind], out, CANARY, 1.0 + self.slow_s)

    def _judges(self, words):
        code = self.checks.pop(0)
        folder = words[words.index("--run-dir") + 1]
        outcome = {0: "pass", 1: "fail", 6: "inconclusive"}.get(code, "pass")
        if code != 3:
            criteria = [{"name": "service_ready", "outcome": outcome}]
            self.layout.root.joinpath(folder).mkdir(exist_ok=True)
            self.layout.root.joinpath(folder, "verdict.json").write_text(
                json.dumps({"exit_code": code, "criteria": criteria})
            )
        return Typed("pytest", code, "", "", 1.0)

    def take(self, stack, before=None):
        rows = {call.request_id: (Row("drill-traffic", call.audio_key, "h"),) for call in self.calls}
        objects = {f"{BUCKET}/{call.audio_key}": Object("1 x", 1.0) for call in self.calls}
        found = Inventory(self.on_host(stack), objects, rows, {})
        if before is not None and self.lost_rows:
            found = msgspec.structs.replace(found, rows={})
        if before is not None and self.lost_objects:
            found = msgspec.structs.replace(found, objects={})
        if before is not None and self.damage:
            found = msgspec.structs.replace(found, schema=self.damage)
        return found

    def broken(self, stack, before):
        return Broken(self.on_host(stack), {})

    def on_host(self, stack):
        return OnHost({}, {"postgres": Part("RUNNING", 1)})


class Traffic:
    world = None

    def __init__(self, url, token, folder, per_second):
        self.ledger = folder / "ledger.jsonl"

    def start(self):
        if self.world.traffic_fails:
            raise TrafficError(self.world.traffic_fails)
        self.world.running = True

    def runs(self):
        return self.world.running and not self.world.traffic_dies

    def stop(self):
        self.world.running = False

    def calls(self):
        """Six before the fault, one long after everything."""
        if not self.world.calls:
            times = [1.0 + number for number in range(6)] + [4e9]
            self.world.calls = [
                Call(
                    operation="tts",
                    intended=at,
                    started=at,
                    ended=at,
                    status=200,
                    request_id=f"r{at}",
                    audio_key=f"tts/{at}",
                )
                for at in times
            ]
        return self.world.calls


@pytest.fixture
def world(tmp_path, monkeypatch):
    folder = tmp_path / "stack"
    folder.mkdir()
    made = World(folder)
    fakes = SimpleNamespace(inject=made.inject, heal=made.heal, active=lambda stack: made.active)
    monkeypatch.setattr(drilling, "active", fakes)
    monkeypatch.setattr(drilling, "inventory", SimpleNamespace(take=made.take, broken=made.broken))
    monkeypatch.setattr(drilling, "Operator", lambda target_file: made)
    monkeypatch.setattr(drilling, "settle", made.settle)
    monkeypatch.setattr(drilling, "Traffic", type("Fake", (Traffic,), {"world": made}))
    return made


def carried_out(world, tmp_path, fault=FAULT, steady=None):
    folder = RunFolder(world, fault.name, tmp_path / "runs")
    found = drilling.Drill(
        world, fault, world.layout.target_file, folder, lambda line: None, steady
    ).carry_out()
    assert not world.running, "the traffic is stopped in any case"
    written = "".join(path.read_text() for path in folder.path.rglob("*") if path.is_file())
    assert CANARY not in written
    assert json.loads((folder.path / "drill.json").read_bytes())["verdict"] == found.verdict
    return found


def test_a_drill_in_which_all_is_well_passes(world, tmp_path):
    found = carried_out(world, tmp_path)
    assert (found.verdict, found.why) == ("passed", ())
    assert world.active == [], "healed"
    assert [words[:2] for words in world.typed] == [
        ("pytest", "-m"),
        ("checks", "triage"),
        ("rollback", "environment"),
        ("pytest", "-m"),
    ]


@pytest.mark.parametrize(
    ("facts", "verdict", "why"),
    [
        ({"checks": [1]}, "inconclusive", "steady state: the checks failed: service_ready"),
        ({"checks": [6]}, "inconclusive", "steady state: the checks could not tell"),
        ({"not_landed": "it is not broken"}, "inconclusive", "fault: it is not broken"),
        ({"traffic_fails": "no traffic after 30 s"}, "inconclusive", "no traffic after 30 s"),
        ({"traffic_dies": True}, "inconclusive", "traffic: Locust ended before its time"),
        ({"scenario": 1}, "failed", "detected: triage: scenario 1"),
        (
            {"command": "python -m rollback git"},
            "failed",
            "detected: triage: scenario 3, python -m rollback git",
        ),
        ({"exits": {"triage": 4, "rollback": 0}}, "inconclusive", "detected: triage came to no finding"),
        ({"exits": {"triage": 1, "rollback": 1}}, "failed", "cured: rollback environment: exit 1"),
        ({"exits": {"triage": 1, "rollback": 5}}, "failed", "cured: rollback environment: exit 5"),
        ({"exits": {"triage": 1, "rollback": 4}}, "inconclusive", "cured: rollback environment: exit 4"),
        ({"checks": [0, 1]}, "failed", "cured: the checks failed: service_ready"),
        ({"checks": [0, 6]}, "inconclusive", "cured: the checks could not tell: service_ready"),
        ({"checks": [0, 3]}, "inconclusive", "cured: the checks came to no verdict"),
        ({"lost_rows": True}, "failed", "RPO: 7 rows and 0 objects"),
        ({"lost_objects": True}, "failed", "RPO: 0 rows and 7 objects"),
        ({"damage": {"database scratch": ""}}, "failed", "collateral: schema database scratch: new"),
        ({"slow_s": 700.0}, "failed", "RTO: 70"),
        ({"heals_not": "it cannot be healed"}, "inconclusive", "cleaned up: it cannot be healed"),
        (
            {"raises": {"rollback": StackError("`rollback` was not done after 900 s")}},
            "inconclusive",
            "`rollback` was not done",
        ),
    ],
)
def test_what_goes_wrong_is_told(world, tmp_path, facts, verdict, why):
    for name, value in facts.items():
        setattr(world, name, value)
    found = carried_out(world, tmp_path)
    assert found.verdict == verdict, found.why
    assert any(each.startswith(why) for each in found.why), found.why


def test_a_host_that_is_lost_makes_it_inconclusive(world, tmp_path):
    world.raises = {"triage": HostError("docker://voice-host does not answer")}
    found = carried_out(world, tmp_path)
    assert (found.verdict, found.why[-1]) == ("inconclusive", "docker://voice-host does not answer")


def test_an_interrupted_drill_stops_the_traffic_and_heals(world, tmp_path):
    world.raises = {"rollback": KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        carried_out(world, tmp_path)
    assert (world.running, world.active) == (False, [])
    assert world.typed[-1] == ("settled",), "the rollback that was begun is brought to its end"
    written = json.loads(next((tmp_path / "runs").rglob("drill.json")).read_bytes())
    assert written["verdict"] == "inconclusive"


def test_a_fault_without_a_cure_is_detected_and_healed(world, tmp_path):
    world.scenario, world.command = 1, ""
    found = carried_out(world, tmp_path, UNCURED)
    assert (found.verdict, found.rto, found.lost) == ("passed", None, None), found.why
    assert ("rollback",) not in [words[:1] for words in world.typed]


def test_data_recovery_takes_its_backup_first_and_leaves_the_load_off_meanwhile(world, tmp_path):
    world.scenario, world.command = 1, "python -m rollback objects"
    data = msgspec.structs.replace(UNCURED, cure="objects")
    found = carried_out(world, tmp_path, data)
    assert found.verdict == "passed", found.why
    assert ("rollback", "snapshot", "objects") in world.typed


def test_a_backup_that_is_not_taken_makes_it_inconclusive(world, tmp_path):
    world.exits["snapshot"] = 5
    found = carried_out(world, tmp_path, msgspec.structs.replace(UNCURED, cure="objects"))
    assert found.verdict == "inconclusive"
    assert found.why[-1].startswith("the backup was not taken: exit 5")
