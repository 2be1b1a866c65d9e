"""`stack.yaml` names every image, and says what is wrong with a name."""

import pytest
import yaml

from drills.images import naming
from drills.stacks.errors import StackError


def written(tmp_path, **changes):
    said = yaml.safe_load(naming.FILE.read_text("utf-8")) | changes
    file = tmp_path / "stack.yaml"
    file.write_text(yaml.safe_dump(said))
    return file


def test_what_is_built_here_has_names_that_are_nobody_elses():
    names = naming.read().all()
    assert all(name.startswith(naming.OURS) for name in names.values())
    assert len(set(names.values())) == len(names)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"hots": "x"}, "unknown field `hots`"),
        ({"host": 3}, r"Expected `str`, got `int` - at `\$.host`"),
        ({"host": "--privileged"}, "host: '--privileged' is no name of an image"),
        (
            {"public": {"postgres": "postgres:18"}},
            "public.postgres: 'postgres:18' has no digest; write NAME@sha256:",
        ),
        ({"public": {"host": "debian"}}, "unknown field `host`"),
    ],
)
def test_a_wrong_name_is_one_line_that_names_the_file_and_the_key(tmp_path, changes, says):
    file = written(tmp_path, **changes)
    with pytest.raises(StackError, match=says) as raised:
        naming.read(file)
    assert str(raised.value).startswith(str(file))
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(StackError, match=r"cannot read .*: No such file"):
        naming.read(tmp_path / "stack.yaml")


OURS = {"DATABASE_URL": "postgresql://x", "OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": "http://openai:1"}


def service(**said):
    return naming.Service(latest="a", previous_stable="b", **said)


def test_an_image_without_variables_of_its_own_gets_ours():
    assert service().variables(OURS) == OURS
    assert service().called("OPENAI_API_KEY") == "OPENAI_API_KEY"


def test_a_teams_own_variables_are_made_of_ours():
    own = service(environment={"KEY": "${OPENAI_API_KEY}", "BASE": "${OPENAI_BASE_URL}/v1", "PRICE": "$$5"})
    assert own.variables(OURS) == {"KEY": "sk-1", "BASE": "http://openai:1/v1", "PRICE": "$5"}
    assert [own.called(name) for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL")] == ["KEY", None]


@pytest.mark.parametrize(
    ("text", "says"),
    [("${NOPE}", r"there is no \$\{NOPE\}; there is: DATABASE_URL, OPENAI_API_KEY"), ("5$", "a literal")],
)
def test_a_variable_that_cannot_be_made_is_said_so(text, says):
    with pytest.raises(StackError, match=says):
        service(environment={"KEY": text}).variables(OURS)
