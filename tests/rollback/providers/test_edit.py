"""Another order is written into any file without anything else in it changing, as the reader reads it."""

import json

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rollback.actions.providers.edit import edited
from rollback.errors import Refused
from target import environment
from target.description import Api, Environment, Provider, ProviderSettings, Target
from target.provider_order import Order, OrderError, order_of

NAMES = ("openai", "google", "yandex")
READERS = ("python-dotenv", "systemd", "compose", "compose-v1")
NEW = Order(("yandex", "openai"), ("yandex", "openai"))


def target_for(reader="python-dotenv", file=None):
    keys = ("stt_providers", "tts_providers") if file else ("STT_PROVIDERS", "TTS_PROVIDERS")
    return Target(
        name="t",
        api=Api(url="http://127.0.0.1:1"),
        environment=Environment("/srv/.env", "/srv/.env.previous", reader),
        providers=tuple(Provider(name, name, "KEY") for name in NAMES),
        provider_settings=ProviderSettings(stt=keys[0], tts=keys[1], file=file),
    )


ENV = (
    "# providers, in order\nA=1\nexport STT_PROVIDERS=openai,google,yandex # all\r\n"
    "B='x y'\n  TTS_PROVIDERS = \"openai, google, yandex\"\nC=3"
)
ENV_NEW = (
    "# providers, in order\nA=1\nexport STT_PROVIDERS=yandex,openai # all\r\n"
    "B='x y'\n  TTS_PROVIDERS = \"yandex, openai\"\nC=3"
)


def test_comments_quotes_blanks_and_line_ends_survive():
    assert edited(ENV.encode(), target_for(), NEW).decode() == ENV_NEW


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_variable_that_is_not_there_gets_a_line_of_its_own(end):
    content = f"A=1{end}TTS_PROVIDERS=openai{end}B=2"
    assert edited(content.encode(), target_for(), NEW).decode() == (
        f"A=1{end}TTS_PROVIDERS=yandex,openai{end}B=2{end}STT_PROVIDERS=yandex,openai{end}"
    )


def test_of_several_the_last_counts():
    content = b"STT_PROVIDERS=openai\nSTT_PROVIDERS=google\nTTS_PROVIDERS=openai\n# STT_PROVIDERS=google\n"
    assert edited(content, target_for(), NEW) == (
        b"STT_PROVIDERS=openai\nSTT_PROVIDERS=yandex,openai\nTTS_PROVIDERS=yandex,openai\n# STT_PROVIDERS=google\n"
    )


@pytest.mark.parametrize(
    "line",
    [
        "STT_PROVIDERS=${WHO}\nTTS_PROVIDERS=openai",
        "STT_PROVIDERS=openai\nBOTH=${STT_PROVIDERS}\nTTS_PROVIDERS=openai",
        'TTS_PROVIDERS=openai\nSTT_PROVIDERS="openai\n,google"',
    ],
)
def test_what_would_change_anything_else_is_refused(line):
    with pytest.raises(Refused, match=r"write STT_PROVIDERS=yandex,openai by hand; nothing was changed"):
        edited(f"WHO=openai\n{line}\n".encode(), target_for(), NEW)


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
quoted = st.builds("{0}{1}{0}".format, st.sampled_from(["", "'", '"']), texts)
names = st.lists(st.sampled_from(NAMES), min_size=1, unique=True).map(tuple)
listed = st.builds(lambda chosen, comma: comma.join(chosen), names, st.sampled_from([",", ", "]))
lines = st.one_of(
    st.builds(
        "{}={}".format, st.sampled_from(["A", "B", "STT_PROVIDER", "X_TTS_PROVIDERS", "export C"]), quoted
    ),
    st.builds("{}{}={}".format, st.sampled_from(["", " ", "export "]), st.sampled_from(["A", "D"]), listed),
    st.builds(
        "{0}{1}{2}{3}{4}{3}{5}".format,
        st.sampled_from(["", "  ", "export "]),
        st.sampled_from(["STT_PROVIDERS", "TTS_PROVIDERS"]),
        st.sampled_from(["=", " = "]),
        st.sampled_from(["", "'", '"']),
        listed,
        st.sampled_from(["", " # why", "#x", "  "]),
    ),
    texts.map("# {}".format),
    texts,
    st.just(""),
)
files = st.builds(
    lambda end, all_lines: end.join(all_lines).encode(), st.sampled_from(["\n", "\r\n"]), st.lists(lines)
)


@settings(max_examples=120)
@given(content=files, reader=st.sampled_from(READERS), stt=names, tts=names)
def test_only_the_assignments_change_whatever_the_file(content, reader, stt, tts):
    target, order = target_for(reader), Order(stt, tts)
    before = environment.read(content, reader)
    assume(not before.faults)
    try:
        order_of(content, target)
        new = edited(content, target, order)
    except (Refused, OrderError):
        return
    after = environment.read(new, reader)
    assert not after.faults
    assert order_of(new, target) == order
    ours = {"STT_PROVIDERS", "TTS_PROVIDERS"}
    others = {name: value for name, value in before.variables.items() if name not in ours}
    assert {name: value for name, value in after.variables.items() if name not in ours} == others
    assert edited(new, target, order) == new


@settings(max_examples=50)
@given(others=st.lists(st.sampled_from(["A=1", "# note", "B='x'", ""])), old=names, stt=names, tts=names)
def test_a_plain_file_is_never_refused(others, old, stt, tts):
    content = "\n".join(
        [*others, f"STT_PROVIDERS={','.join(old)}", *others, f"TTS_PROVIDERS={','.join(old)}", ""]
    )
    new = edited(content.encode(), target_for(), Order(stt, tts)).decode()
    assert new == "\n".join(
        [*others, f"STT_PROVIDERS={','.join(stt)}", *others, f"TTS_PROVIDERS={','.join(tts)}", ""]
    )


YAML = """\
# voice-v2
stt_providers:            # for transcription
  openai: {enabled: true,  priority: 1}
  google:
    priority: 2           # was 3
    enabled: yes
  yandex: {"enabled": true, "priority": 3}\r
tts_providers: {openai: {enabled: true, priority: 1}, google: {enabled: true, priority: 2},
  yandex: &y {enabled: false, priority: 9}}
other: [1, *y]
"""
YAML_NEW = """\
# voice-v2
stt_providers:            # for transcription
  openai: {enabled: true,  priority: 2}
  google:
    priority: 3           # was 3
    enabled: false
  yandex: {"enabled": true, "priority": 1}\r
tts_providers: {openai: {enabled: true, priority: 2}, google: {enabled: false, priority: 3},
  yandex: {enabled: true, priority: 1}}
other: [1]
"""


def test_yaml_keeps_comments_styles_and_line_ends():
    content = YAML.replace("&y ", "").replace(", *y", "")
    new = edited(content.encode(), target_for(file="/srv/voice.yaml"), NEW)
    assert new.decode() == YAML_NEW


def test_json_keeps_its_tabs_and_order():
    content = (
        '{\r\n\t"stt_providers": {"google": {"priority": 1, "enabled": true}, '
        '"yandex":\t{"enabled":false,"priority":2},'
        '\r\n\t\t"openai": {"enabled": true, "priority": 3}},\r\n'
        '\t"tts_providers": {"openai": {"enabled": true, "priority": 1}, "yandex": {"enabled": true, "priority": 2}}}'
    )
    new = edited(content.encode(), target_for(file="/srv/voice.json"), NEW).decode()
    assert new == (
        '{\r\n\t"stt_providers": {"google": {"priority": 3, "enabled": false}, '
        '"yandex":\t{"enabled":true,"priority":1},'
        '\r\n\t\t"openai": {"enabled": true, "priority": 2}},\r\n'
        '\t"tts_providers": {"openai": {"enabled": true, "priority": 2}, "yandex": {"enabled": true, "priority": 1}}}'
    )


def test_an_alias_through_which_something_else_would_change_is_refused():
    with pytest.raises(Refused, match="set them by hand to yandex, openai; nothing was changed"):
        edited(YAML.encode(), target_for(file="/srv/voice.yaml"), NEW)


def test_a_merge_is_refused():
    content = (
        "base: &b {enabled: true}\n"
        "stt_providers: {openai: {<<: *b, priority: 1}, yandex: {<<: *b, priority: 2}, google: {<<: *b, priority: 3}}\n"
        "tts_providers: {openai: {<<: *b, priority: 1}, yandex: {<<: *b, priority: 2}}\n"
    )
    with pytest.raises(Refused, match=r"stt_providers\.google\.enabled is not written out there"):
        edited(content.encode(), target_for(file="/srv/voice.yaml"), NEW)


def test_one_that_the_file_does_not_have_is_refused():
    with pytest.raises(Refused, match="stt_providers has no yandex; it has openai: add it"):
        edited(
            b"stt_providers: {openai: {enabled: true, priority: 1}}\n"
            b"tts_providers: {openai: {enabled: true, priority: 1}}\n",
            target_for(file="/srv/voice.yaml"),
            NEW,
        )


entries = st.fixed_dictionaries({"enabled": st.booleans(), "priority": st.integers(0, 12)})
mappings = st.fixed_dictionaries(dict.fromkeys(NAMES, entries))
extra = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=80)
@given(
    data=st.dictionaries(texts, extra, max_size=3),
    stt=mappings,
    tts=mappings,
    new=st.builds(Order, names, names),
    style=st.sampled_from(["block.yaml", "flow.yaml", "plain.json", "tabs.json"]),
)
def test_only_enabled_and_priority_change_whatever_else_is_there(data, stt, tts, new, style):
    data = {**data, "stt_providers": stt, "tts_providers": tts}
    if style.endswith("json"):
        content = json.dumps(data, indent="\t" if style == "tabs.json" else None)
    else:
        content = yaml.safe_dump(
            data, default_flow_style=style == "flow.yaml", allow_unicode=True, sort_keys=False
        )
    assume(all(ord(char) < 0xD800 or ord(char) > 0xDFFF for char in content))
    parse = json.loads if style.endswith("json") else yaml.safe_load
    data = parse(content)
    target = target_for(file=f"/srv/{style}")
    try:
        order_of(content.encode(), target)
        result = edited(content.encode(), target, new).decode()
    except (OrderError, Refused):
        assume(False)
        return
    read = parse(result)
    for key, names_of in (("stt_providers", new.stt), ("tts_providers", new.tts)):
        priorities = [entry["priority"] for entry in read[key].values()]
        assert sorted(priorities) == [1, 2, 3], "unique"
        assert {name for name, entry in read[key].items() if entry["enabled"]} == set(names_of)
        for entry in (*read[key].values(), *data[key].values()):
            entry.clear()
    assert read == data
    assert order_of(result.encode(), target) == new
    assert len(result.splitlines()) == len(content.splitlines())
