"""Nothing that the redactor knows leaves, in whatever coat it comes."""

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target.redact import MASK, Redactor, looks_secret, secrets_of


@pytest.mark.parametrize(
    "name", ["OPENAI_API_KEY", "API_TOKEN", "S3_SECRET_KEY", "DB_PASSWORD", "PGPASS", "SENTRY_DSN"]
)
def test_names_of_secrets_are_known(name):
    assert looks_secret(name)


@pytest.mark.parametrize("name", ["S3_BUCKET", "YANDEX_FOLDER_ID", "TTS_PROVIDERS", "GOOGLE_KEY_FILE"])
def test_other_names_are_not(name):
    assert not looks_secret(name)


def test_secrets_of_an_environment_are_those_by_name_and_the_passwords_in_urls():
    environment = {
        "API_TOKEN": "tok-123",
        "DATABASE_URL": "postgresql://voice:p%40ss@db/voice",
        "S3_BUCKET": "voice",
    }
    assert secrets_of(environment) == {"tok-123", "p%40ss"}


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=4, max_size=40))
def test_a_secret_is_masked_plain_quoted_and_in_base64(secret):
    redactor = Redactor([secret])
    encoded = base64.b64encode(secret.encode()).decode()
    said = redactor.text(f"a {secret} b {quote(secret, safe='')} c {encoded} d")
    for coat in (secret, quote(secret, safe=""), encoded):
        assert coat not in said or coat in MASK


def test_the_longer_of_two_overlapping_secrets_goes_first():
    assert Redactor(["secret", "secret-and-more"]).text("it is secret-and-more") == f"it is {MASK}"


def test_a_password_in_a_url_goes_even_when_nobody_named_it():
    assert Redactor().text("postgresql://u:hunter2@h/db") == f"postgresql://u:{MASK}@h/db"


def test_data_is_redacted_in_keys_values_and_depth():
    redacted = Redactor(["topsecret"]).data({"topsecret": [{"a": ("x topsecret", 3)}]})
    assert redacted == {MASK: [{"a": [f"x {MASK}", 3]}]}


def test_short_values_are_left_alone_so_that_text_stays_readable():
    assert Redactor(["1", "on"]).text("1 on") == "1 on"


def test_the_redactor_itself_shows_nothing():
    assert "topsecret" not in repr(Redactor(["topsecret"]))
