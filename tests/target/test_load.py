"""The target file: what it may say, and the one line that each mistake gets."""

import os
from pathlib import Path

import msgspec
import pytest
import yaml

from target import load as loading
from target.description import Target
from target.errors import TargetError

SAMPLE = Path(__file__).parents[2] / "target.sample.yaml"
SMALL = "name: lab\napi:\n  url: http://127.0.0.1:8000\n"
OBJECTS = SMALL + "objects:\n  endpoint: a\n  access_key: ${A}\n  secret_key: ${A}\n  bucket: b\n"
SECRETS = {
    "VOICE_TOKEN": "tok-canary-1",
    "OBJECTS_ACCESS_KEY": "access-canary-2",
    "OBJECTS_SECRET_KEY": "secret-canary-3",
    "OBJECTS_WRITE_ACCESS_KEY": "access-canary-6",
    "OBJECTS_WRITE_SECRET_KEY": "secret-canary-7",
    "BACKUP_ACCESS_KEY": "access-canary-8",
    "BACKUP_SECRET_KEY": "secret-canary-9",
    "DATABASE_PASSWORD": "pa%40ss-canary-4",
    "DATABASE_ADMIN_PASSWORD": "admin-canary-5",
}


@pytest.fixture
def write(tmp_path):
    def write(text, name="target.yaml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.fixture
def sample(write):
    write("# none\n", "secrets.env").chmod(0o600)
    return write(SAMPLE.read_text())


def refusal(path, environ=None, overrides=None):
    with pytest.raises(TargetError) as caught:
        loading.load(path, environ=environ or {}, overrides=overrides or {})
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_the_least_that_a_target_needs(write, tmp_path):
    target = loading.load(write(SMALL), environ={})
    assert (target.name, target.api.url, target.hosts) == ("lab", "http://127.0.0.1:8000", ("local://",))
    assert target.source == str(tmp_path / "target.yaml")
    assert target.state_dir == str(tmp_path / ".voice-v2-rollback")


def test_sample_loads_once_its_variables_are_set(sample):
    target = loading.load(sample, environ=SECRETS)
    assert target.api.token == "tok-canary-1"
    assert target.providers[2].folder == "YANDEX_FOLDER_ID"
    assert target.service is not None
    assert target.service.systemd == "voice-v2-service"


def test_sample_shows_every_key_with_a_comment():
    lines = SAMPLE.read_text().splitlines()
    shown = {}
    for line in lines:
        key, _, rest = line.lstrip("# -").partition(":")
        shown.setdefault(key, []).append("#" in rest)

    def structs(kind):
        for field in msgspec.structs.fields(kind):
            yield field.name
            for inner in getattr(field.type, "__args__", (field.type,)):
                if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
                    yield from structs(inner)

    names = set(structs(Target)) - {"source"}
    assert {"url", "project", "supervisorctl", "per_second", "mark_column"} <= names
    assert names - shown.keys() == set()
    sections = {
        "api",
        "paths",
        "headers",
        "python",
        "service",
        "compose",
        "supervisor",
        "environment",
        "code",
    }
    sections |= {"virtualenv", "objects", "database", "providers", "monitoring", "snapshots"}
    sections |= {"criteria", "budget"}
    assert [n for n in names - sections if not any(shown[n])] == []


def test_sample_alternatives_are_right_too(write):
    write("# none\n", "secrets.env").chmod(0o600)
    text = SAMPLE.read_text()
    for name in ("compose", "supervisor"):
        lines = text.replace("  systemd: voice-v2-service", "").splitlines()
        start = lines.index(f"  # {name}:")
        end = next(i for i in range(start + 1, len(lines)) if not lines[i].startswith("  #   "))
        lines[start:end] = [line.replace("# ", "", 1) for line in lines[start:end]]
        target = loading.load(write("\n".join(lines)), environ=SECRETS)
        assert target.service is not None
        assert getattr(target.service, name) is not None


def test_no_secret_in_any_repr(sample):
    target = loading.load(sample, environ=SECRETS)
    assert target.objects is not None
    parts = (target.objects, target.objects.write, target.objects.backup)
    for part in (target, target.api, *parts, target.database, [target], (target.api,)):
        assert "canary" not in repr(part)
        assert "canary" not in f"{part}"
    assert "tts-1" in repr(target.api)
    assert "token=None" in repr(msgspec.structs.replace(target.api, token=None))


def test_secrets_are_known_to_the_redactor(sample, write):
    write("OTHER_KEY='in-the-file-5'\nVOICE_TOKEN=not-this-one\n", "secrets.env").chmod(0o600)
    found = loading.secrets(loading.load(sample, environ=SECRETS))
    assert found == {*SECRETS.values(), "pa@ss-canary-4", "in-the-file-5", "not-this-one"}


def test_secrets_file_gives_what_the_environment_lacks(write, tmp_path):
    path = write(SMALL + "  token: ${A}\nmark: ${B}\nsecrets_file: s.env\n")
    write("A=from-file\nB='from file too'\n", "s.env").chmod(0o600)
    target = loading.load(path, environ={"A": "from-environment"})
    assert (target.api.token, target.mark) == ("from-environment", "from file too")
    assert target.secrets_file == str(tmp_path / "s.env")


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [
        (b"A=1\n", 0o640, "chmod 600"),
        (b"A=1\n", 0o604, "mode 0604"),
        (b"fine=1\njust words\n", 0o600, "s.env:2: not NAME=value"),
        (b"A=\xff\n", 0o600, "not UTF-8"),
    ],
)
def test_bad_secrets_file(write, content, mode, says):
    path = write(SMALL + "secrets_file: s.env\n")
    write(content, "s.env").chmod(mode)
    assert says in refusal(path)


def test_missing_secrets_file(write):
    assert "s.env: no such file" in refusal(write(SMALL + "secrets_file: s.env\n"))


def test_command_line_beats_environment_beats_file(write):
    path = write(SMALL + "budget:\n  requests: 1\n  concurrency: 1\n  seconds: 1\n")
    environ = {
        "VOICE_TARGET__BUDGET__CONCURRENCY": "2",
        "VOICE_TARGET__BUDGET__SECONDS": "2",
        "VOICE_TARGET": "x",
    }
    target = loading.load(path, environ=environ, overrides={"budget.seconds": "3.5"})
    assert (target.budget.requests, target.budget.concurrency, target.budget.seconds) == (1, 2, 3.5)


def test_overrides_take_the_type_of_their_key(write):
    path = write(SMALL + "providers:\n- {name: a, kind: openai, key: K}\n")
    overrides = {
        "hosts": "local://",
        "production": "true",
        "record": "2.3",
        "criteria.error_rate": "> 2%",
        "criteria.all_providers_healthy": "false",
        "providers.0.url": "http://127.0.0.1:9",
        "environment": "{file: /e, previous: /p, reader: systemd, required: [A]}",
        "api.token": "${TOKEN}",
        "api.flavour": "python",
    }
    target = loading.load(path, environ={"TOKEN": "t"}, overrides=overrides)
    assert target.hosts == ("local://",)
    assert target.production is True
    assert target.record == "2.3"
    assert target.criteria == {"error_rate": "> 2%", "all_providers_healthy": False}
    assert target.providers[0].url == "http://127.0.0.1:9"
    assert target.environment is not None
    assert target.environment.required == ("A",)
    assert (target.api.token, target.api.flavour) == ("t", "python")


def test_a_secret_may_come_from_the_environment_as_it_is(write):
    environ = {"VOICE_TARGET__API__TOKEN": "li${te}ral"}
    assert loading.load(write(SMALL), environ=environ).api.token == "li${te}ral"


@pytest.mark.parametrize(
    ("environ", "overrides", "says"),
    [
        (
            {"VOICE_TARGET__API__TIMOUT_S": "1"},
            {},
            "VOICE_TARGET__API__TIMOUT_S: api.timout_s: unknown key; did you mean timeout_s?",
        ),
        ({}, {"budget.requests": "many"}, "command line: budget.requests: must be a whole number, not text"),
        ({}, {"api.token": "canary"}, "command line: api.token: a secret is written here"),
        ({}, {"name.first": "x"}, "command line: name.first: unknown key; name has no keys of its own"),
        ({}, {"providers.0.url": "x"}, "providers.0.url: 0 is not one of the 0 in"),
        ({}, {"source": "x"}, "source: unknown key"),
        ({}, {"": "x"}, "unknown key"),
    ],
)
def test_bad_overrides(write, environ, overrides, says):
    message = refusal(write(SMALL), environ, overrides)
    assert says in message
    assert "canary" not in message


def test_literal_dollar_brace(write):
    assert loading.load(write(SMALL + "mark: a$${B}$c\n"), environ={}).mark == "a${B}$c"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "target.yaml: empty"),
        (b"# nothing\n", "target.yaml: empty"),
        (b"name: [a\napi: x\n", "target.yaml:2:"),
        (b"name: 'a\n", "not YAML"),
        (b"\tname: a\n", "target.yaml:1:1: not YAML"),
        (b"- a\n", "not keys and values"),
        (b"just words\n", "not keys and values"),
        (b"name: a\n---\nname: b\n", "not YAML"),
        (b"name: \xe9t\xe9\n", "target.yaml:1: not UTF-8"),
        (b"ok: 1\n\x00\x01\x7fELF", "not YAML"),
        (b"\xff\xfen\x00", "not UTF-8"),
        (b"a: " + b"[" * 20000, "target.yaml"),
        (b"a: &a [*a]\n", "refers to itself"),
        (b"name: !!python/object/apply:os.system [id]\n", "not YAML"),
        (b"name: 2026-13-45\n", "quote it"),
        (b"name: a\nname: b\n", "target.yaml:2: name: written twice"),
        (b"1: a\n", "a key must be text"),
        (b"yes: a\n", "a key must be text, not yes"),
    ],
)
def test_not_a_target_file(write, content, says):
    assert says in refusal(write(content))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: lab\n", "target.yaml: api: missing; write `api: {url: …}`"),
        ("name: lab\napi: {}\n", "target.yaml:2: api.url: missing; write `url: http://HOST:PORT`"),
        ("name: lab\napi:\n", "target.yaml:2: api: must be keys and values, not nothing"),
        (
            SMALL + "hots: [local://]\n",
            "target.yaml:4: hots: unknown key; did you mean hosts? (known: name, api,",
        ),
        (SMALL + "  tokn: x\n", "target.yaml:4: api.tokn: unknown key; did you mean token?"),
        (SMALL + "zzz: x\n", "zzz: unknown key; (known:"),
        (SMALL + "source: x\n", "source: unknown key"),
        (SMALL + "  timeout_s: soon\n", "target.yaml:4: api.timeout_s: must be a number, not text"),
        (SMALL + "hosts: local://\n", "hosts: must be a list, not text"),
        (SMALL + "record: 2.3\n", "target.yaml:4: record: must be text; put the value in quotes"),
        (SMALL + "record: 2026-11-20\n", "record: must be text; put the value in quotes"),
        (SMALL + "criteria:\n  a: x\n  b: 3\n", "target.yaml:6: criteria.b: must be"),
        (SMALL + "  flavour: soap\n", "api.flavour: 'soap' is not one of: openai-audio, python"),
        (SMALL + "production: maybe\n", "production: must be true or false, not text"),
        (SMALL + "budget: {requests: 1.5}\n", "budget.requests: must be a whole number"),
        (
            SMALL + "providers:\n- {name: a, kind: azure, key: K}\n",
            "target.yaml:5: providers.0.kind: 'azure' is not",
        ),
        (SMALL + "mark: ${NOPE}\n", "target.yaml:4: mark: ${NOPE} is not set; export NOPE"),
        (SMALL + "mark: ${EMPTY}\n", "mark: ${EMPTY} is empty"),
        (SMALL + "mark: ${A:-b}\n", "mark: ${A:-b} is not a variable"),
        (SMALL + "mark: ${A\n", "mark: `${` without `}`"),
        (SMALL + "service: {}\n", "service: none of them; write exactly one of systemd, compose, supervisor"),
        (
            SMALL + "service:\n  systemd: a\n  compose: {file: /f, service: s}\n",
            "target.yaml:4: service: systemd and compose at once",
        ),
        (SMALL + "budget: {requests: 0}\n", "target.yaml:4: budget.requests: 0 is not a positive number"),
        (SMALL + "budget: {seconds: -1}\n", "budget.seconds: -1.0 is not"),
        (SMALL + "snapshots: {keep: 0}\n", "snapshots.keep: 0 is not a positive number"),
        (SMALL + "code: {checkout: /srv/voice, backups: /backup/voice}\n", "must hold %Y %m %d"),
        (SMALL + "code: {checkout: /srv/voice, backups: /%Y/voice_%m%d}\n", "must hold %Y %m %d"),
        (SMALL + "code: {checkout: /srv/voice, max_age_days: 0}\n", "code.max_age_days: 0"),
        (SMALL + "budget: {per_second: .nan}\n", "budget.per_second: nan is not"),
        (SMALL + "  timeout_s: .inf\n", "api.timeout_s: inf is not"),
        (
            SMALL + "providers:\n- {name: a, kind: openai, key: K}\n- {name: a, kind: google, key: G}\n",
            "target.yaml:6: providers.1: a: a provider of that name is listed above",
        ),
        (SMALL + "hosts: []\n", "hosts: names no host"),
        (SMALL + "hosts: [telnet://a]\n", "target.yaml:4: hosts.0: "),
        (SMALL + "hosts: ['ssh://[::1']\n", "hosts.0: "),
        (SMALL + "hosts: [docker://a, docker://a]\nstate_dir: /s\n", "hosts.1: docker://a: the same host"),
        (SMALL + "hosts: [ssh://a]\n", "state_dir: '.voice-v2-rollback' must be absolute on ssh://a"),
        (SMALL + "state_dir: ~/x\n", "state_dir: '~/x' must be a whole path"),
        (SMALL + "code: {checkout: /c, package: ../x}\n", "code.package: must be a path below"),
        (
            SMALL
            + "objects: {endpoint: 'http://a:9000', access_key: '${A}', secret_key: '${A}', bucket: b}\n",
            "without http://",
        ),
        (
            OBJECTS + "  backup: {endpoint: 'http://b', access_key: '${A}', secret_key: '${A}'}\n",
            "objects.backup.endpoint: must be host:port",
        ),
        (OBJECTS + "  backup_prefix: '%Y-%m-%d'\n", "objects.backup_prefix: must hold %Y, %m and %d"),
        (OBJECTS + "  backup_prefix: 'daily/'\n", "objects.backup_prefix: must hold"),
        (OBJECTS + "  backup_prefix: '.%Y-%m-%d/'\n", "objects.backup_prefix: must hold"),
        (SMALL + "database: {url: 'mysql://a/b'}\n", "database.url: must be postgresql://"),
        (SMALL + "database: {url: 'postgresql://u:${AT}@h/b'}\n", "percent-encode"),
        (SMALL + "  paths: {health: health}\n", "api.paths.health: must start with /"),
        (SMALL + "  headers: {mark: 'X Mark'}\n", "api.headers.mark: not a header name"),
        (SMALL + "  python: {factory: a.b}\n", "api.python.factory: must be package.module:Name"),
        (SMALL + "  token: ${NEWLINE}\n", "api.token: holds a space or line break"),
        (SMALL.replace("lab", "a/b"), "name: may hold letters"),
    ],
)
def test_one_line_for_each_mistake(write, text, says):
    environ = {"A": "a", "EMPTY": "", "AT": "p@ss-canary", "NEWLINE": "canary\n"}
    message = refusal(write(text), environ)
    assert says in message
    assert "canary" not in message


@pytest.mark.parametrize(
    "url",
    [
        "voice:8000",
        "ftp://a",
        "http://",
        "http://a:0",
        "http://a:99999",
        "http://[::1",
        "http://u:p@a",
        "http://a/?b=c",
        "http://a b",
    ],
)
def test_bad_urls(write, url):
    assert "target.yaml:3: api.url: " in refusal(write(f"name: lab\napi:\n  url: '{url}'\n"))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (SMALL + "  token: canary\n", "api.token"),
        (SMALL + "  token: canary${A}\n", "api.token"),
        (
            SMALL + "objects: {endpoint: a, bucket: b, access_key: canary, secret_key: '${A}'}\n",
            "objects.access_key",
        ),
        (
            SMALL + "objects: {endpoint: a, bucket: b, access_key: '${A}', secret_key: canary}\n",
            "objects.secret_key",
        ),
        (OBJECTS + "  write: {access_key: '${A}', secret_key: canary}\n", "objects.write.secret_key"),
        (
            OBJECTS + "  backup: {endpoint: b, access_key: canary, secret_key: '${A}'}\n",
            "objects.backup.access_key",
        ),
        (SMALL + "database: {url: 'postgresql://u:canary@h/b'}\n", "database.url"),
        (SMALL + "database: {url: 'postgresql://h/b?user=u&password=canary'}\n", "database.url"),
    ],
)
def test_secrets_written_literally(write, text, key):
    message = refusal(write(text), {"A": "a"})
    assert f"{key}: a " in message
    assert "${" in message
    assert "canary" not in message


def test_a_whole_database_url_from_a_variable(write):
    path = write(SMALL + "database: {url: '${URL}'}\n")
    target = loading.load(path, environ={"URL": "postgresql://u:hush-hush@h:5432/b"})
    assert loading.secrets(target) == {"hush-hush"}


def test_unusual_files(tmp_path, write):
    assert "no such file; copy target.sample.yaml" in refusal(tmp_path / "none.yaml")
    assert "is a folder" in refusal(tmp_path)
    write(SMALL)
    assert f"name {tmp_path}/target.yaml" in refusal(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in refusal(tmp_path / "pipe")
    assert "larger than 1 MiB" in refusal(write(b"#" * (1 << 21), "big.yaml"))
    assert "cannot be read" in refusal(tmp_path / ("x" * 300))
    assert "cannot be read" in refusal(Path(f"{tmp_path}/a\0b"))


def test_byte_order_mark_and_crlf_are_no_trouble(write):
    path = write(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())
    assert loading.load(path, environ={}).name == "lab"


def test_yaml_of_sample_is_plain():
    assert yaml.safe_load(SAMPLE.read_text())["criteria"]["endpoint_response_time"] == "< 1500ms"
