"""The list of faults."""

import json
import subprocess
import sys

import msgspec
import pytest
import yaml

from checks.criterion import criteria
from drills.faults import catalogue
from drills.faults.fault import FaultError
from rollback.catalogue import OFFERS

DEMANDED = {
    "database-password-wrong",
    "environment-not-restarted",
    "openai-credentials-refused",
    "google-credentials-refused",
    "yandex-credentials-refused",
    "primary-dead-behind-fallback",
    "empty-audio",
    "silence",
    "wrong-words",
    "bucket-missing",
    "object-corrupt-same-size",
    "rows-of-a-day-missing",
    "provider-slow-6s",
    "provider-slow-1.6-fold",
    "errors-5-percent",
    "token-not-checked",
    "secret-in-health",
    "wrong-version-served",
    "key-missing",
    "key-twice",
    "environment-crlf-and-bom",
    "environment-unreadable",
    "previous-equals-broken",
    "debug-left-on",
    "storage-down",
    "storage-credentials-rotated",
    "bucket-emptied",
    "object-missing",
    "object-truncated",
    "orphan-object",
    "storage-read-only",
    "storage-full",
    "storage-slow",
    "delete-marker",
    "database-down",
    "database-password-rotated",
    "table-missing",
    "column-missing",
    "revision-ahead",
    "revision-behind",
    "rows-doubled",
    "sequence-behind",
    "index-missing",
    "database-read-only",
    "connections-exhausted",
}


def test_names_are_unique_and_all_that_were_asked_for_are_there():
    names = [fault.name for fault in catalogue.FAULTS]
    assert len(set(names)) == len(names)
    assert set(names) >= DEMANDED


def test_every_fault_shows_in_a_criterion_that_there_is(request):
    document = yaml.safe_load((request.config.rootpath / "checks" / "criteria.yaml").read_text())
    known = set()
    for group in document["criteria"].values():
        for line in group:
            known.add(next(iter(line)) if isinstance(line, dict) else line.split()[0])
    for fault in catalogue.FAULTS:
        assert fault.first, fault.name
        assert {*fault.first, *fault.must, *fault.may} <= known, fault.name


def test_the_json_list_has_all_that_a_fault_says_of_itself():
    ran = subprocess.run(
        [sys.executable, "-m", "drills", "faults", "--json"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    listed = json.loads(ran.stdout)
    assert {entry["name"] for entry in listed} == {fault.name for fault in catalogue.FAULTS}
    assert {"environment", None} <= {entry["cure"] for entry in listed} <= {*OFFERS, None}
    by_name = {entry["name"]: entry for entry in listed}
    missing = by_name["bucket-missing"]
    assert (missing["family"], missing["scenario"], missing["level"]) == ("storage", 1, None)
    assert by_name["database-password-wrong"]["level"] == 1
    every = set(criteria({}, where="here"))
    for entry in listed:
        assert entry["must"], entry["name"]
        assert {*entry["must"], *entry["may"], *entry["must_not"]} == every, entry["name"]
        assert not {*entry["must"], *entry["may"]} & set(entry["must_not"]), entry["name"]
        assert set(entry["first"]) <= {*entry["must"], *entry["may"]}, entry["name"]


def test_an_unknown_name_gets_the_nearest_ones():
    with pytest.raises(FaultError, match="did you mean database-password-wrong"):
        catalogue.find("database-pasword-wrong")


def test_a_name_like_no_other_gets_the_way_to_the_list():
    with pytest.raises(FaultError, match="python -m drills faults"):
        catalogue.find("zzzz")


def test_a_misspelt_criterion_is_told_before_anything_is_taken():
    fault = msgspec.structs.replace(catalogue.find("silence"), must=("all_provider_healthy",))
    with pytest.raises(
        FaultError, match=r"silence: .*'all_provider_healthy'; did you mean all_providers_healthy"
    ):
        catalogue.check_criteria([fault])
    catalogue.check_criteria(catalogue.FAULTS)


def test_the_list_of_a_family():
    assert {entry.family for entry in catalogue.entries("storage")} == {"storage"}
    with pytest.raises(FaultError, match=r"there is no family 'storag'; there is: .*storage"):
        catalogue.entries("storag")
