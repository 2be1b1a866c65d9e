"""Whatever the compose file, only the span of the image changes, and YAML reads the rest as before."""

import random

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rollback.actions.containers.span import NoPlaceError, edit, profiles

PIN = "registry.example:5000/voice-v2:previous-stable@sha256:" + "0f" * 32


def becomes(content: str, expected: str, service: str = "voice-v2") -> None:
    raw = content.encode()
    found = edit(raw, service, PIN)
    assert found.of(raw).decode() == expected.replace("PIN", PIN)


@pytest.mark.parametrize(
    "line",
    [
        "image: {}",
        "image:   {}   # the one from Tuesday: x",
        'image: "{}"',
        "'image': '{}'  # why",
        "image: !!str {}",
        "image: &img {}",
        "image: &img '{}'",
        "image: >-\n      {}\n    restart: always",
        "build: .\n    image: {}",
        "environment: {{IMAGE: voice-v2:latest}}\n    image: {}\n    labels: [voice-v2:latest]",
    ],
)
@pytest.mark.parametrize("was", ["voice-v2:latest", "voice-v2:${TAG:-latest}", "x/y@sha256:" + "ab" * 32])
def test_the_value_alone(line: str, was: str) -> None:
    frame = (
        "# voice-v2:latest\u2028# é\nservices:\n  voice-v2:\n    {}\n  worker:\n    image: voice-v2:latest\n"
    )
    becomes(frame.replace("{}", line).format(was), frame.replace("{}", line).format("PIN"))


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("services: {voice-v2: {image: a, x-b: c}}", "services: {voice-v2: {image: PIN, x-b: c}}"),
        ('{"services": {"voice-v2": {"image":"a"}}}', '{"services": {"voice-v2": {"image":"PIN"}}}'),
        (
            '{"services": {"voice-v2": {"build":"."}}}',
            '{"services": {"voice-v2": {"image": "PIN", "build":"."}}}',
        ),
        ("services: {voice-v2: {build: .}}\n", "services: {voice-v2: {image: PIN, build: .}}\n"),
        (
            "x: &i a\nservices:\n  voice-v2:\n    image: *i  # shared\n  worker: {image: *i}\n",
            "x: &i a\nservices:\n  voice-v2:\n    image: PIN  # shared\n  worker: {image: *i}\n",
        ),
        (
            "x: &b {image: a}\nservices:\r\n  voice-v2: # h\r\n\r\n    <<: *b\r\n    k: v\r\n",
            "x: &b {image: a}\nservices:\r\n  voice-v2: # h\r\n\r\n    image: PIN\r\n    <<: *b\r\n    k: v\r\n",
        ),
        ("\ufeffservices:\n voice-v2:\n  build: .", "\ufeffservices:\n voice-v2:\n  image: PIN\n  build: ."),
        ('services: {voice-v2: {image: "a\\x3ab"}}', 'services: {voice-v2: {image: "PIN"}}'),
        ('services: {voice-v2: {image: ""}}', 'services: {voice-v2: {image: "PIN"}}'),
    ],
)
def test_other_ways_to_write_it(was: str, now: str) -> None:
    becomes(was, now)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("services:\n  voice-v2:\n    image: a\n    image: b\n", "line 4 has the key 'image' a second time"),
        ("services:\n  voice-v2: &v {a: 1}\n  voice-v2: {a: 2}\n", "a second time"),
        ("services:\n  worker: &w {image: a}\n  voice-v2: *w\n", "line 3: voice-v2 has no lines of its own"),
        ("services:\n  voice-v2:\n", "no lines of its own"),
        ("services:\n  voice-v2: {}\n", "nothing in it"),
        ("services:\n  worker: {image: a}\n", "no service voice-v2 is written in it"),
        ("volumes: {}\n", "no services are written in it"),
        ("services:\n  voice-v2:\n    image: a\n---\nservices: {}\n", "2 YAML documents"),
        ("services:\n\tvoice-v2:\n", "line 2: not YAML"),
        ("services:\n  voice-v2:\n    image: !reset null\n", "the image is not a string"),
        ("services:\n  voice-v2:\n    image: [a]\n", "the image is not a string"),
        ("services:\n  voice-v2:\n    image:\n", "the image is empty"),
        ("services:\n  voice-v2:\n    ? build\n    : .\n", "no lines of its own"),
        ("- a\n", "not a mapping"),
        ("", "0 YAML documents"),
    ],
)
def test_where_there_is_no_place(content: str, why: str) -> None:
    with pytest.raises(NoPlaceError, match=why):
        edit(content.encode(), "voice-v2", PIN)


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(NoPlaceError, match="line 2: not UTF-8"):
        edit(b"services:\n  # caf\xe9\n", "voice-v2", PIN)


def test_profiles() -> None:
    content = b"services: {a: {profiles: [x, 'y']}, b: {profiles: []}, c: {image: i}, d: null}"
    assert profiles(content) == {"x", "y"}


names = st.sampled_from(["voice-v2", "worker", "db", "x y", "ключ", "image", "services"])
scalars = st.one_of(
    st.sampled_from(
        ["voice-v2:latest", "${TAG:-latest}", "yes", "0x1F", "", "a: b", "# no", "image: x", "é\u2028"]
    ),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=6,
)


@st.composite
def compose_files(draw: st.DrawFn) -> bytes:
    """A compose file as PyYAML writes it in some style, with comments, blank lines and line ends of several kinds."""
    image = draw(st.one_of(st.none(), scalars.filter(bool)))
    voice = draw(st.dictionaries(names.filter(lambda name: name != "image"), values, max_size=3))
    if image is not None:
        voice["image"] = image
    voice["build"] = "."
    shuffled = list(voice.items())
    random.Random(draw(st.integers(0, 99))).shuffle(shuffled)
    services = draw(st.dictionaries(names, values, max_size=2)) | {"voice-v2": dict(shuffled)}
    document = draw(st.dictionaries(names, values, max_size=2)) | {"services": services}
    text = yaml.safe_dump(
        document,
        sort_keys=draw(st.booleans()),
        allow_unicode=draw(st.booleans()),
        default_flow_style=draw(st.sampled_from([None, False, True])),
        default_style=draw(st.sampled_from([None, '"', "'"])),
        indent=draw(st.integers(2, 5)),
    )
    if draw(st.booleans()):
        text = (
            text.replace("services:", "# image: voice-v2:latest é\nservices:", 1)
            if text.startswith("services:")
            else text
        )
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    return (draw(st.sampled_from(["", "\ufeff", "---\n", "# é 日本\n\n"])) + text).encode()


@given(compose_files())
def test_only_that_span_and_only_that_value(content: bytes) -> None:
    found = edit(content, "voice-v2", PIN)
    changed = found.of(content)
    assert changed[: found.start] == content[: found.start]
    assert changed[len(changed) - (len(content) - found.end) :] == content[found.end :]
    before, after = yaml.safe_load(content), yaml.safe_load(changed)
    assert after["services"]["voice-v2"].pop("image") == PIN
    assert before["services"]["voice-v2"].pop("image", None) is None or found.own
    assert after == before
    again = edit(changed, "voice-v2", PIN)
    assert again.of(changed) == changed


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_anything_else_is_refused_in_words(content: bytes) -> None:
    with pytest.raises(NoPlaceError):
        edit(content, "voice-v2", PIN)
