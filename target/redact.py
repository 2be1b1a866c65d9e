"""The one redactor: everything that is written anywhere passes through it."""

import base64
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, urlsplit

MASK = "••••"
_SHORTEST = 4
_SECRET_NAME = re.compile(
    r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASS|CREDENTIALS?|DSN|PRIVATE)($|_)", re.IGNORECASE
)
_NOT_SECRET = re.compile(r"(_PATH|_FILE|_BYTES|_ID)$", re.IGNORECASE)
_URL_PASSWORD = re.compile(
    r"(?P<head>[a-z][a-z0-9+.-]*://[^/\s:@]*:)(?P<secret>[^@\s/]+)(?=@)", re.IGNORECASE
)


def looks_secret(name: str) -> bool:
    """Whether a variable of this name holds a secret, by its name alone (`OPENAI_API_KEY`: yes, `S3_BUCKET`: no)."""
    return bool(_SECRET_NAME.search(name)) and not _NOT_SECRET.search(name)


def secrets_of(environment: dict[str, str]) -> set[str]:
    """The secret values of an environment: by name, and the passwords inside its URLs."""
    found = {value for name, value in environment.items() if looks_secret(name)}
    for value in environment.values():
        found.update(match["secret"] for match in _URL_PASSWORD.finditer(value))
    return found


class Redactor:
    """Replaces every known secret, also where it is URL-quoted or base64-encoded, and every password in a URL."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.add(secrets)

    def __repr__(self) -> str:
        return f"Redactor({len(self._secrets)} secrets)"

    def add(self, secrets: Iterable[str]) -> None:
        """Learn more secrets. Values under four characters are left alone: masking them would eat the text."""
        for secret in secrets:
            if len(secret) < _SHORTEST:
                continue
            encoded = base64.b64encode(secret.encode()).decode()
            self._secrets.update({secret, quote(secret, safe=""), encoded, encoded.rstrip("=")})
            password = urlsplit(secret).password if "://" in secret else None
            if password:
                self.add([password])
        if self._secrets:
            longest_first = sorted(self._secrets, key=len, reverse=True)
            self._pattern = re.compile("|".join(re.escape(secret) for secret in longest_first))

    def text(self, text: str) -> str:
        """The text with every secret masked."""
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        return _URL_PASSWORD.sub(lambda match: match["head"] + MASK, text)

    def data(self, value: Any) -> Any:
        """JSON-like data with every string in it, keys included, passed through `text`."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(key)): self.data(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.data(item) for item in value]
        return value
