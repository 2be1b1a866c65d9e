"""Whether a secret of the target stands where anyone can read it; it is told by name, never shown."""

import base64
from urllib.parse import quote, unquote, urlsplit

from checks.differences import named
from target.description import Target
from target.redact import looks_secret, secrets_of

_SHORTEST = 8


def known_secrets(target: Target, variables: dict[str, str]) -> dict[str, str]:
    """Value → name of every secret in the target file and in the environment file.

    Values under eight characters are left out: they occur in any text.
    """
    found = {value: name for name, value in variables.items() if looks_secret(name)}
    for name, value in variables.items():
        found.update((part, f"the password in {name}") for part in secrets_of({name: value}) - found.keys())
    if target.api.token:
        found.setdefault(target.api.token, "api.token")
    if target.objects is not None:
        found.setdefault(target.objects.secret_key, "objects.secret_key")
    if target.database is not None:
        found.setdefault(
            unquote(urlsplit(target.database.url).password or ""), "the password in database.url"
        )
    return {value: name for value, name in found.items() if len(value) >= _SHORTEST}


def exposed(places: list[tuple[str, str]], secrets: dict[str, str]) -> list[str]:
    """A line for each secret that stands in any place (`("/health", text)`), also URL-quoted or in base64."""
    found: dict[str, list[str]] = {}
    for secret, name in secrets.items():
        forms = _forms(secret)
        where = [place for place, text in places if any(form in text for form in forms)]
        if where:
            found.setdefault(name, []).extend(where)
    return [f"{name} stands in {named(where)}" for name, where in found.items()]


def _forms(secret: str) -> set[str]:
    return {secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode().rstrip("=")}
