"""What the action will not touch: every refusal names what is wrong, and nothing was changed."""

import pytest

from tests.rollback.containers.engine import docker

pytestmark = [
    pytest.mark.docker,
    pytest.mark.covers("containers", "refused"),
    pytest.mark.parametrize("program", ["docker compose"], indirect=True),
]


def test_a_change_that_would_reach_another_service(place):
    text = (
        place.plain().replace("voice-v2:\n", "voice-v2: &voice\n", 1)
        + "  worker:\n    <<: *voice\n    ports: []\n"
    )
    place.start(text)
    assert "would reach worker too" in place.is_refused()


def test_the_project_of_another_folder(place):
    place.start()
    place.write_target(project="elsewhere")
    says = place.is_refused()
    assert "there is one of the project" in says
    assert f"{place.app.name} in {place.app}" in says


def test_the_files_of_another_folder(place):
    place.start()
    elsewhere = place.folder / "copy"
    elsewhere.mkdir()
    (elsewhere / "docker-compose.yml").write_text(place.plain())
    place.write_target(file=str(elsewhere / "docker-compose.yml"))
    says = place.is_refused()
    assert "there is one of the project" in says
    assert f"{place.app.name} in {place.app}" in says


def test_a_container_that_was_made_from_other_files(place):
    place.start()
    (place.app / "other.yml").write_text(place.plain())
    place.write_target(file=str(place.app / "other.yml"))
    assert "was made from" in place.is_refused()


def test_several_containers(place):
    place.start(place.plain().replace(f"127.0.0.1:{place.port}:8000", "8000"))
    docker("compose", "-f", str(place.file), "up", "-d", "--scale", "voice-v2=2", "voice-v2")
    assert "runs in 2 containers" in place.is_refused()


def test_no_such_service(place):
    place.start()
    place.write_target(service="voice")
    assert "no such service: voice; check file and service in the target" in place.is_refused()


def test_a_file_that_cannot_be_read(place):
    place.start()
    place.file.write_text(place.plain() + "  : [\n")
    assert "not YAML" in place.is_refused()


def test_a_bad_record_and_the_image_of_one(place):
    place.start()
    assert place.run("record", "--mark-bad", "crashes", "--name", "2.3.1")[0] == 0
    assert "marked bad" in place.is_refused("--to", "2.3.1")
    place.write_target(previous=place.engine.name("good"))
    assert "marked bad" in place.is_refused()


def test_an_image_that_runs_already_and_does_not_work(place):
    place.start(place.plain(place.engine.name("worse")))
    place.record("worse", name="2.2.0", taken_at="2026-11-21T09:12:00Z")
    assert "mends nothing" in place.is_refused()


def test_an_unfinished_run_goes_elsewhere(place, kill_after_line):
    place.start()
    place.run_and_kill(kill_after_line(4), "containers")
    assert "an unfinished run goes to" in place.is_refused("--to", place.engine.name("worse"))


def test_a_target_without_compose(place):
    place.start()
    before = place.inventory()
    place.target.write_text(
        place.target.read_text().replace('"compose": {', '"supervisor": {').replace("file", "config")
    )
    code, out = place.run("containers")
    assert code == 4, out
    place.write_target()
    assert place.inventory().keys() == before.keys()


def test_an_undo_to_an_image_that_is_gone(place):
    """A container could not be made of it: said before anything is changed, not half-way back."""
    place.engine.make("gone")
    place.start(place.plain(place.engine.name("gone")))
    assert place.run("containers")[0] == 0
    place.engine.forget("gone")
    before = place.inventory()
    code, out = place.run("containers", "--undo")
    assert (code, place.inventory()) == (5, before), out
    assert f"docker pull {place.engine.name('gone')}" in " ".join(out.split())
