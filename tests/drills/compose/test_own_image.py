"""A team's own image, made of nothing of ours, is deployed, judged, broken and rolled back as the reference is."""

from pathlib import Path

import pytest
import yaml

from drills.faults import active, catalogue
from drills.images import engine, naming
from tests.drills.operator import Operator

pytestmark = pytest.mark.docker

SERVER = Path(__file__).parent / "speech_server"


@pytest.fixture(scope="module")
def releases(stack):
    """Two releases of another team's service; they are gone with the stack."""
    names = {release: f"{stack.run}/speech:{release}" for release in ("7.1", "7.2")}
    for release, name in names.items():
        arguments = {"FROM": naming.read().python, "RELEASE": release}
        engine.build(SERVER, name, {"voice-v2-drill.run": stack.run}, arguments)
    yield names
    engine.run("image", "rm", "--force", *names.values())


@pytest.fixture(scope="module")
def operator(stack, releases, forget, tmp_path_factory):
    """The person at the compose project of that service: `stack.yaml` names its images and says what is another."""
    folder = tmp_path_factory.mktemp("own")
    own = (SERVER / "stack.yaml").read_text("utf-8").format(latest=releases["7.2"], stable=releases["7.1"])
    whole = yaml.safe_load(naming.FILE.read_text("utf-8")) | {"voice-v2": yaml.safe_load(own)}
    (folder / "stack.yaml").write_text(yaml.safe_dump(whole), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(naming, "FILE", folder / "stack.yaml")
        target_file = catalogue.find("tag-moved").target_file(stack)
        yield Operator(stack, folder, target_file)
        forget()


def test_it_is_judged_by_what_it_offers(operator):
    judged = operator.judges()
    assert judged.code == 0, judged.screen
    target = yaml.safe_load(operator.target_file.read_text("utf-8"))
    assert {"DB_DSN", "TOKEN"} < set(target["environment"]["required"])
    assert [(each["name"], each["key"]) for each in target["providers"]] == [("openai", "UPSTREAM_KEY")]


@pytest.mark.parametrize("name", ["tag-moved", "killed-for-memory"])
def test_a_fault_of_its_container_is_told_and_cured(operator, name):
    fault = catalogue.find(name)
    active.inject(operator.stack, name)
    try:
        broken = operator.judges()
        # It tells no revision.
        assert set(broken.failed) == {*fault.must} - {"revision_matches_record"}, broken.screen
        operator.rolls_back("containers")
        cured = operator.judges()
        assert cured.code == 0, cured.screen
    finally:
        active.heal(operator.stack, name)
    operator.saw_no_secret()
