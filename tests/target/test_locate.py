"""Which target file is meant."""

from pathlib import Path

import pytest

from target.document import DescriptionError
from target.load import locate


def test_locate_order(tmp_path):
    (tmp_path / "target.yaml").write_text("name: lab\n")
    environ = {"VOICE_TARGET": "b.yaml"}
    assert locate("a.yaml", environ, tmp_path) == tmp_path / "a.yaml"
    assert locate("/x/a.yaml", environ, tmp_path) == Path("/x/a.yaml")
    assert locate(None, environ, tmp_path) == tmp_path / "b.yaml"
    assert locate(None, {"VOICE_TARGET": ""}, tmp_path) == tmp_path / "target.yaml"


def test_locate_nothing_says_how_to_name_one(tmp_path):
    with pytest.raises(DescriptionError, match=r"--target FILE or VOICE_TARGET=FILE"):
        locate(None, {}, tmp_path)


def test_an_empty_option_never_falls_back(tmp_path):
    (tmp_path / "target.yaml").write_text("name: lab\n")
    with pytest.raises(DescriptionError, match="--target is empty"):
        locate("", {}, tmp_path)


def test_locate_demo(tmp_path):
    with pytest.raises(DescriptionError, match=r"make demo.*python -m drills up --dir .demo"):
        locate("demo", {}, tmp_path)
    (tmp_path / ".demo").mkdir()
    demo = tmp_path / ".demo" / "target.yaml"
    demo.write_text("name: lab\n")
    assert locate("demo", {}, tmp_path) == demo
    assert locate(None, {"VOICE_TARGET": "demo"}, tmp_path) == demo
