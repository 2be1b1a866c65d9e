"""The exit policy and the ending on the terminal, by running pytest as a person does, on checks made for the test."""

import json
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import jsonschema
import pytest

from checks.verdict import SCHEMA, schema
from target.record import render
from tests.checks.deployment import Deployment

ROOT = Path(__file__).parents[2]
DRIVER = """
import pathlib, sys
import checks.plugin
checks.plugin._HERE = pathlib.Path(sys.argv[1])
import pytest
sys.exit(pytest.main(["-c", sys.argv[2] + "/pyproject.toml", "--rootdir", sys.argv[1], *sys.argv[3:], sys.argv[1]]))
"""


class Ran:
    """One run: exit code, terminal output, verdict.json."""

    def __init__(self, done: subprocess.CompletedProcess[str], folder: Path) -> None:
        self.code = done.returncode
        self.out = done.stdout
        self.err = done.stderr
        path = folder / "run" / "verdict.json"
        self.verdict = json.loads(path.read_text("utf-8")) if path.exists() else None
        if self.verdict is not None:
            jsonschema.validate(self.verdict, json.loads(SCHEMA.read_text("utf-8")))
            assert self.verdict["exit_code"] == self.code

    @property
    def last(self) -> str:
        return self.out.rstrip("\n").split("\n\n")[-1]


@pytest.fixture
def judge(tmp_path):
    """Run the given checks against a target file; options are pytest's own."""

    def run(body: str, *options: str, target: str = "name: t\napi: {url: 'http://127.0.0.1:9'}\n") -> Ran:
        folder = tmp_path / "checks"
        folder.mkdir()
        shutil.copy(ROOT / "checks" / "conftest.py", folder / "conftest.py")
        head = "import pytest\nfrom checks.run import DeadService\nfrom target.errors import ApiError, WrongTarget\n"
        mark = "health = [pytest.mark.post_rollback, pytest.mark.health]\n"
        (folder / "test_made.py").write_text(head + mark + textwrap.dedent(body), "utf-8")
        (tmp_path / "target.yaml").write_text(target)
        command = [
            sys.executable,
            "-c",
            DRIVER,
            str(folder),
            str(ROOT),
            "--target",
            str(tmp_path / "target.yaml"),
        ]
        done = subprocess.run(
            [*command, "--run-dir", str(tmp_path / "run"), *options],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={"PATH": "/usr/bin:/bin", "COLUMNS": "110", "PYTHONUTF8": "1"},
        )
        return Ran(done, tmp_path)

    return run


def check(body: str, *marks: str, declares: str = '"service_ready"') -> str:
    lines = [f"@pytest.mark.decides({declares})", "@pytest.mark.post_rollback", "@pytest.mark.health"]
    lines += [f"@pytest.mark.{mark}" for mark in marks]
    return "\n".join(
        [*lines, f"async def test_{abs(hash((body, marks, declares)))}(decide):", f"    {body}", ""]
    )


PASSES = 'decide.passed("service_ready", True, summary="up in 3 ms")'
FAILS = 'decide.failed("service_ready", False, evidence="nothing listens", next="python -m rollback status")'


def test_all_decided_and_passed_is_0(judge):
    ran = judge(check(PASSES))
    assert ran.code == 0
    assert "up in 3 ms" in ran.out
    assert ran.last.startswith("PASS · 1 passed")
    assert "verdict.json" in ran.last


def test_a_failed_criterion_is_1_with_evidence_and_next_and_no_traceback(judge):
    ran = judge(check(FAILS))
    assert ran.code == 1
    assert "✗ service_ready  nothing listens" in ran.out
    assert "→ python -m rollback status" in ran.out
    assert "Traceback" not in ran.out + ran.err
    assert ran.last.startswith("FAIL · 1 failed")


def test_an_assertion_is_a_failure_and_any_other_error_is_not(judge):
    assert judge(check('assert False, "the two differ"')).verdict["criteria"][0]["outcome"] == "fail"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('raise ApiError("timed out after 15 s")', "timed out after 15 s"),
        ("raise KeyError('x')", "the check itself broke: KeyError"),
        ("pass", "ended without deciding it"),
        ("pytest.skip('not today')", "not today"),
    ],
)
def test_what_keeps_a_check_from_deciding_is_6_never_green(judge, body, said):
    ran = judge(check(body))
    assert ran.code == 6
    assert said in ran.out
    assert ran.last.startswith("INCONCLUSIVE · 1 undetermined")
    assert "Traceback" not in ran.out + ran.err


def test_a_failure_outweighs_what_could_not_be_told(judge):
    ran = judge(check(FAILS) + check("raise KeyError(1)", declares='"error_rate"'))
    assert ran.code == 1
    assert ran.out.index("✗ service_ready") < ran.out.index("? error_rate")


def test_what_one_cause_keeps_undetermined_is_counted_not_listed(judge):
    names = '"error_rate", "memory_usage", "components_healthy", "endpoint_response_time"'
    ran = judge(check(FAILS) + check('raise DeadService("the service does not answer")', declares=names))
    assert ran.code == 1
    assert "? 4 undetermined  the service does not answer" in ran.out
    assert "memory_usage" not in ran.out


def test_a_check_that_does_not_apply_is_named_with_the_missing_key(judge):
    ran = judge(check(PASSES) + check("pass", 'needs("database")', declares='"error_rate"'))
    assert ran.code == 0
    assert "1 not applicable" in ran.last
    assert ran.verdict["not_applicable"][0]["why"] == "the target file has no `database`"


def test_nothing_applicable_is_6_unless_a_reason_is_given(judge):
    assert judge(check("pass", 'needs("database")')).code == 6


def test_a_reason_allows_a_run_in_which_nothing_applied(judge):
    ran = judge(check("pass", 'needs("database")'), "--allow-skips", "smoke target")
    assert ran.code == 0
    assert ran.verdict["skips_allowed"] == "smoke target"


def test_an_empty_selection_is_5_and_says_so(judge):
    ran = judge(check(PASSES), "-k", "nothing_like_it")
    assert ran.code == 5
    assert "no check was selected" in ran.out


def test_a_mistyped_selection_is_4_and_judges_nothing(judge):
    ran = judge(check(PASSES), "-m", "post_rolback")
    assert ran.code == 4
    assert "nothing was judged" in ran.out
    assert "did not report" not in ran.out


def test_a_wrong_target_is_4_and_one_line(judge):
    ran = judge(check('raise WrongTarget("ssh://voice-1: no route to host")'))
    assert ran.code == 4
    assert ran.out == "ERROR: ssh://voice-1: no route to host\n"


@pytest.mark.parametrize("by", ["option", "target file"])
def test_a_record_that_there_is_not_is_4_and_one_line_before_anything_is_judged(judge, tmp_path, by):
    records = tmp_path / "state" / "records"
    records.mkdir(parents=True)
    (records / "2.3.1.json").write_bytes(render(Deployment().recorded()))
    target = f"name: t\napi: {{url: 'http://127.0.0.1:9'}}\nstate_dir: {records.parent}\n"
    options = ("--record", "nosuch") if by == "option" else ()
    ran = judge(check(PASSES), *options, target=target + ("" if options else "record: nosuch\n"))
    assert ran.code == 4
    assert ran.out == f"ERROR: no record 'nosuch' in {records} on local://; there is: 2.3.1\n"
    assert ran.verdict["requests"] == 0


def test_a_bad_target_file_is_4_and_one_line(judge):
    ran = judge(check(PASSES), target="name: t\napi: {url: 'http://127.0.0.1:9', tokken: x}\n")
    assert ran.code == 4
    assert len(ran.err.strip().splitlines()) == 1
    assert "tokken" in ran.err


def test_an_interrupted_run_is_2_and_says_what_did_not_report(judge):
    ran = judge(check("raise KeyboardInterrupt") + check(PASSES))
    assert ran.code == 2
    assert ran.verdict["verdict"] == "inconclusive"
    assert len(ran.verdict["missing"]) == 2
    assert "\nINTERRUPTED before it could tell · " in ran.out


def test_a_check_of_an_unknown_criterion_is_refused(judge):
    ran = judge(check("pass", declares='"no_such"'))
    assert ran.code == 4
    assert "no_such: no such criterion" in ran.out + ran.err


def test_a_plain_assertion_without_a_criterion_still_counts(judge):
    ran = judge(
        "@pytest.mark.post_rollback\n@pytest.mark.health\ndef test_plain():\n    assert 1 == 2\n"
        + check(PASSES)
    )
    assert ran.code == 1


def test_no_secret_of_the_target_reaches_terminal_or_verdict(judge, tmp_path):
    (tmp_path / "secrets.env").write_text("TOKEN=canary-1f9e77\n")
    (tmp_path / "secrets.env").chmod(0o600)
    target = "name: t\nsecrets_file: secrets.env\napi: {url: 'http://127.0.0.1:9', token: '${TOKEN}'}\n"
    body = 'decide.failed("service_ready", "canary-1f9e77", evidence="saw canary-1f9e77", next="use canary-1f9e77")'
    ran = judge(
        check(body) + check("raise KeyError('canary-1f9e77')", declares='"error_rate"'), target=target
    )
    assert ran.code == 1
    written = "".join(path.read_text("utf-8") for path in (tmp_path / "run").iterdir())
    assert "canary-1f9e77" not in ran.out + ran.err + written


def test_the_schema_in_the_repository_is_the_one_of_the_types():
    assert SCHEMA.read_text("utf-8") == schema()
