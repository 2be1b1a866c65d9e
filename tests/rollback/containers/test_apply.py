"""The action on a real engine, with both compose programs: files in all the shapes that teams write."""

import pytest

from tests.rollback.containers.compose_place import ComposePlace

pytestmark = pytest.mark.docker

V2 = pytest.mark.parametrize("program", ["docker compose"], indirect=True)


def rolls_back(place, *words, pin=None, file=None):
    """Carried out, the service runs the good image; the file differs in `pin` alone; undone, all is as before."""
    file = file or place.file
    was, mode = file.read_bytes(), file.stat()
    code, out = place.run("containers", *words)
    assert code == 0, out
    assert place.runs() == "good", out
    assert place.serves_version() == "2.3.1"
    pinned = file.read_bytes()
    (kept,) = file.parent.glob("*.failed.*")
    assert kept.read_bytes() == was
    assert (kept.stat().st_mtime_ns, kept.stat().st_mode) == (mode.st_mtime_ns, mode.st_mode)
    assert file.stat().st_mode == mode.st_mode
    assert pinned == pin(was)
    done = place.inventory()
    assert place.run("containers", *words)[0] == 0
    assert place.inventory() == done
    code, out = place.run("containers", "--undo")
    assert code == 0, out
    assert place.runs() == "bad", out
    assert file.read_bytes() == was
    assert file.stat().st_mtime_ns == mode.st_mtime_ns


def instead_of(image, place, new=None):
    """Makes bytes with the good image in place of an image, once."""
    new = new or place.engine.ids["good"]
    return lambda was: was.replace(image.encode(), new.encode(), 1)


@pytest.mark.covers("containers", "apply", "second", "undo", "dry-run")
def test_a_plain_file(place):
    place.start()
    place.file.chmod(0o640)
    before = place.inventory()
    code, out = place.run("containers", "--dry-run")
    assert (code, place.inventory()) == (0, before), out
    rolls_back(place, pin=instead_of(place.engine.name("bad"), place))


def test_variables_of_env_are_left_alone(place, monkeypatch):
    """The tag comes from `.env`, which another service reads too, and the shell beats it."""
    monkeypatch.setenv("TAG", "bad")
    image = f'"{place.engine.run}/voice-v2:${{TAG:-latest}}"'
    more = f"  worker:\n    env_file: .env\n    image: {image}\n"
    place.start(place.plain(image, more), __env="TAG=worse\n")
    rolls_back(place, pin=instead_of(image, place, f'"{place.engine.ids["good"]}"'))
    assert (place.app / ".env").read_text() == "TAG=worse\n"


def test_windows_line_ends_and_the_override_wins(place):
    override = f"# ours\r\nservices:\r\n  voice-v2:\r\n    image: '{place.engine.name('bad')}'\r\n"
    version = 'version: "3.8"\r\n'
    place.start(place.plain("nothing/there:1"), **{"docker-compose__override__yml": version + override})
    file = place.app / "docker-compose.override.yml"
    rolls_back(place, file=file, pin=instead_of(place.engine.name("bad"), place))
    assert place.file.read_text() == place.plain("nothing/there:1")


def test_compose_file_in_env_drops_the_override(place):
    prod = f'version: "3.8"\nservices: {{voice-v2: {{image: "{place.engine.name("bad")}"}}}}\n'
    place.start(
        place.plain("nothing/there:1"),
        prod__yml=prod,
        docker_compose__override__yml="services: {voice-v2: {image: never}}\n",
        __env="COMPOSE_FILE=docker-compose.yml:prod.yml\n",
    )
    rolls_back(place, file=place.app / "prod.yml", pin=instead_of(place.engine.name("bad"), place))


@pytest.mark.parametrize("with_image", [False, True])
def test_build(place, with_image):
    separator = "-" if place.program[0] == "docker" else "_"
    built = place.engine.name("built") if with_image else f"{place.app.name}{separator}voice-v2"
    place.engine.tag("bad", built)
    line = f"    image: {place.engine.name('bad')}  # latest\n"
    text = place.plain().replace(
        line, f"    build: .\n    image: {built}\n" if with_image else "    build: .\n"
    )
    place.start(text)
    good = place.engine.ids["good"]
    pin = (
        instead_of(built, place)
        if with_image
        else instead_of("build: .", place, f"image: {good}\n    build: .")
    )
    rolls_back(place, pin=pin)


def test_an_image_that_is_shared_stays_what_it_is_for_the_others(place):
    text = (
        f'version: "3.8"\nx-base: &base\n  image: &image {place.engine.name("bad")}\n'
        f"services:\n  voice-v2:\n    <<: *base\n    {place.common_lines}\n"
        f"  worker:\n    <<: *base\n    labels: {{a: b}}\n    profiles: [jobs]\n  other: {{image: *image}}\n"
    )
    place.start(text)
    good = place.engine.ids["good"]
    rolls_back(place, pin=instead_of("    <<: *base", place, f"    image: {good}\n    <<: *base"))


def test_a_service_of_a_profile(place):
    place.describe(place.plain(more="    profiles: [web]\n"))
    place.write_target()
    place.up("--profile", "web")
    place.record()
    rolls_back(place, pin=instead_of(place.engine.name("bad"), place))


def test_files_that_only_the_target_names(place):
    prod = place.app / "prod.yml"
    prod.write_text(f'version: "3.8"\nservices: {{voice-v2: {{image: "{place.engine.name("bad")}"}}}}\n')
    place.describe(place.plain("nothing/there:1"))
    place.write_target(overrides=[str(prod)], project=place.app.name)
    place.up("-f", "docker-compose.yml", "-f", "prod.yml")
    place.record()
    rolls_back(place, file=prod, pin=instead_of(place.engine.name("bad"), place))


def test_only_this_container_is_made_anew(place):
    worker = f"  worker:\n    image: {place.engine.name('bad')}\n    labels: {{{place.label}}}\n"
    place.start(place.plain(more=f"    depends_on: [worker]\n{worker}"))
    before = [line for line in place.engine.inventory() if place.engine.ids["bad"] in line]
    assert place.run("containers")[0] == 0
    after = [line for line in place.engine.inventory() if place.engine.ids["bad"] in line]
    assert len(set(before) - set(after)) == 1
    assert set(after) < set(before)


class TestRegistry:
    def test_a_missing_image_is_pulled_and_pinned_by_tag_and_digest(self, place, registry):
        place.engine.make("pulled")
        digest = registry.push(place.engine, "pulled", "previous-stable")
        previous = f"{registry.address}/voice-v2:previous-stable"
        place.start()
        place.write_target(previous=previous)
        place.record("pulled", name="2.3.0", version="2.3.0", taken_at="2026-11-21T09:12:00Z")
        place.engine.forget("pulled")
        before = place.inventory()
        code, out = place.run("containers", "--dry-run")
        assert (code, place.inventory()) == (0, before), out
        assert "docker pull" in out
        code, out = place.run("containers")
        assert code == 0, out
        assert place.runs() == "pulled"
        assert f"    image: {previous}@{digest}  # latest\n" in place.file.read_text()
        code, out = place.run("containers", "--undo")
        assert (code, place.runs()) == (0, "bad"), out

    @V2
    @pytest.mark.covers("containers", "refused")
    def test_a_tag_that_moved_is_refused_with_both_and_its_digest_is_not(self, place, registry):
        place.engine.make("pulled")
        digest = registry.push(place.engine, "pulled", "moved")
        registry.push(place.engine, "worse", "moved")
        name = f"{registry.address}/voice-v2:moved"
        place.start()
        place.write_target(previous=name)
        place.record("pulled", name="2.3.0", version="2.3.0", taken_at="2026-11-21T09:12:00Z")
        place.engine.forget("pulled")
        text = place.is_refused()
        assert place.engine.ids["pulled"] in text
        assert place.engine.ids["worse"] in text
        place.write_target(previous=f"{name}@{digest}")
        code, out = place.run("containers")
        assert (code, place.runs()) == (0, "pulled"), out

    @V2
    def test_killed_while_it_is_pulled(self, place, registry, kill_after_line):
        place.engine.make("pulled")
        registry.push(place.engine, "pulled", "killed")
        place.start()
        place.write_target(previous=f"{registry.address}/voice-v2:killed")
        place.record("pulled", name="2.3.0", version="2.3.0", taken_at="2026-11-21T09:12:00Z")
        place.engine.forget("pulled")
        for line in (2, 3):
            place.run_and_kill(kill_after_line(line), "containers")
            assert place.runs() == "bad"
        code, out = place.run("containers")
        assert (code, place.runs()) == (0, "pulled"), out

    @V2
    @pytest.mark.covers("containers", "refused")
    def test_a_dead_registry_and_an_image_that_is_nowhere(self, place, registry):
        place.start()
        assert "connection refused" in place.is_refused("--to", "127.0.0.1:9/voice-v2:previous-stable")
        assert "no such manifest" in place.is_refused("--to", f"{registry.address}/voice-v2:none")
        place.record("sha256:" + "0f" * 32, name="2.3.0", taken_at="2026-11-21T09:12:00Z")
        assert "does not say where to pull it from" in place.is_refused()


@V2
def test_a_local_tag_that_moved_is_passed_by(place):
    previous = place.engine.name("previous-stable")
    place.engine.tag("worse", previous)
    place.start()
    place.write_target(previous=previous)
    code, out = place.run("containers")
    assert (code, place.runs()) == (0, "good"), out
    assert "has moved" in " ".join(out.split())


@V2
def test_another_deployment_of_the_same_service_does_not_stand_in_the_way(place):
    place.start()
    place.down()
    folder = place.folder / "staging"
    folder.mkdir()
    other = ComposePlace(folder, place.engine, "docker compose")
    try:
        other.describe()
        other.up()
        code, out = place.run("containers")
        assert (code, place.runs(), other.runs()) == (0, "good", "bad"), out
    finally:
        other.down()


@V2
def test_without_a_record_the_name_has_to_do_and_that_is_told(place):
    place.describe()
    place.write_target(previous=place.engine.name("good"))
    place.up()
    code, out = place.run("containers")
    assert (code, place.runs()) == (0, "good"), out
    assert "no healthy record" in " ".join(out.split())


@pytest.mark.parametrize(
    ("which", "why"),
    [
        ("unhealthy", "own health check says unhealthy"),
        ("dies", "exit code 3"),
        ("worse", "'failing'"),
    ],
)
@V2
def test_what_does_not_work_is_undone(place, which, why):
    place.start()
    was = place.file.read_bytes()
    code, out = place.run("containers", "--to", place.engine.name(which))
    assert code == 1, out
    said = " ".join(out.split())
    assert why in said, out
    assert (place.runs(), place.file.read_bytes()) == ("bad", was)
