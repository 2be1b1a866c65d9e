import pytest

from checks import differences
from checks.exposure import exposed, known_secrets
from checks.mixture import belongs_to, mixture
from target.description import Api, Target
from target.memory import Process, family, processes
from target.objects import ObjectFacts
from target.record import CodeRecord, ObjectRecord, Record


def test_names_are_told_and_values_never() -> None:
    told = differences.lines({"A": "1", "B": "x"}, {"A": "2", "C": "secret"}, "variables")
    assert told == ["1 variable missing: C", "1 variable not recorded: B", "1 variable changed: A"]
    assert differences.named(["a", "b", "c", "d", "e", "f"]) == "a, b, c, d and 2 more"


def test_objects_are_compared_by_key_size_and_content() -> None:
    recorded = tuple(ObjectRecord(key, 5, "e", "hash" if key == "d" else None) for key in "abcd")
    there = {
        "b": ObjectFacts("b", 4, "e", 0.0),
        "c": ObjectFacts("c", 5, "f", 0.0),
        "d": ObjectFacts("d", 5, "f", 0.0),
    }
    compared = differences.objects(recorded, there | {"new": ObjectFacts("new", 1, "n", 0.0)})
    assert compared.problems == [
        "1 of 4 objects missing: a",
        "1 of 4 objects of another size: b",
        "1 of 4 objects altered: c",
    ]
    assert [item.key for item in compared.doubtful] == ["d"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a1b2c3d", "a1b2c3d4e5f6", True),
        ("A1B2C3D4", "a1b2c3d4", True),
        ("a1b2c3", "a1b2c3d4", False),
        ("", "a1b2c3d4", False),
        ("a1b2c3e", "a1b2c3d4", False),
    ],
)
def test_revisions_may_be_cut_short(one: str, other: str, same: bool) -> None:
    assert differences.same_revision(one, other) is same


def record(name: str, code: str) -> Record:
    return Record(
        name=name,
        version=name,
        revision=None,
        taken_at="2026-11-20T10:00:00Z",
        taken_by="t",
        state="healthy",
        packages={"openai": name},
        code=CodeRecord(code, {}, None),
    )


def test_a_mixture_is_named_by_its_parts() -> None:
    records = [record("2.3.1", "aa"), record("2.4.0", "bb")]
    assert mixture(belongs_to(records, version="2.3.1", code="aa", packages={"openai": "2.3.1"})) is None
    told = mixture(belongs_to(records, version="2.3.1", code="bb", packages={"openai": "2.3.1"}))
    assert told == "served version of 2.3.1, code of 2.4.0, packages of 2.3.1"
    assert mixture(belongs_to(records, version="9", code="aa")) is None
    assert mixture({}) is None


def test_secrets_are_found_in_every_form_and_told_by_name() -> None:
    target = Target(name="t", api=Api(url="http://x", token="token-of-service"))
    secrets = known_secrets(
        target,
        {
            "OPENAI_API_KEY": "sk/secret+value",
            "DATABASE_URL": "postgresql://u:pass-word-1@h/d",
            "PIN_KEY": "1234",
        },
    )
    assert set(secrets.values()) == {"OPENAI_API_KEY", "the password in DATABASE_URL", "api.token"}
    places = [
        ("/health", "url=postgresql://u:pass-word-1@h/d"),
        ("/metrics", "k=sk%2Fsecret%2Bvalue"),
        ("an error", "c2svc2VjcmV0K3ZhbHVl"),
        ("nowhere", "1234 all good"),
    ]
    told = exposed(places, secrets)
    assert sorted(told) == [
        "OPENAI_API_KEY stands in /metrics, an error",
        "the password in DATABASE_URL stands in /health",
    ]


def test_memory_is_that_of_a_process_and_all_below_it() -> None:
    status = "".join(
        f"Name:\tp{pid}\nUmask:\t0022\nPid:\t{pid}\nPPid:\t{parent}\nVmRSS:\t{rss} kB\n"
        for pid, parent, rss in ((1, 0, 10), (5, 1, 100), (6, 5, 20), (7, 6, 3), (8, 1, 500))
    )
    everyone = processes(status)
    assert everyone[0] == Process(1, 0, 10240)
    assert sum(process.resident for process in family(5, everyone)) == 123 * 1024
    assert family(99, everyone) == []
