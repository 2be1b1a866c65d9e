"""Configuration: `.env` in the working directory, the process environment above it, read once."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import psycopg
from dotenv import dotenv_values
from psycopg.conninfo import conninfo_to_dict

from app.services.voice_v2.core.errors import ConfigError


class ProviderType(StrEnum):
    """The providers, in the order that breaks a tie of priorities."""

    OPENAI = "openai"
    GOOGLE = "google"
    YANDEX = "yandex"


@dataclass(slots=True)
class ProviderSettings:
    """Whether a provider serves an operation, and its turn there (1 is first)."""

    enabled: bool
    priority: int


@dataclass(slots=True)
class VoiceConfig:
    """All settings of the process. `stt_providers` and `tts_providers` hold every provider, enabled or not."""

    database_url: str = field(repr=False)
    s3_endpoint: str
    s3_secure: bool
    s3_access_key: str = field(repr=False)
    s3_secret_key: str = field(repr=False)
    s3_bucket: str
    api_token: str = field(repr=False)
    provider_keys: dict[ProviderType, str] = field(repr=False)
    yandex_folder_id: str
    tts_urls: dict[ProviderType, str]
    stt_urls: dict[ProviderType, str]
    stt_providers: dict[ProviderType, ProviderSettings]
    tts_providers: dict[ProviderType, ProviderSettings]
    provider_timeout_s: float
    provider_retries: int
    breaker_failures: int
    breaker_reset_s: float
    max_audio_bytes: int
    debug: bool
    log_level: str

    def scrub(self, text: str) -> str:
        """`text` without any secret of this configuration."""
        for secret in self._secrets():
            text = text.replace(secret, "***")
        return text

    def _secrets(self) -> list[str]:
        password = conninfo_to_dict(self.database_url).get("password")
        found = [
            self.database_url,
            self.s3_secret_key,
            self.api_token,
            *self.provider_keys.values(),
        ]
        if isinstance(password, str):
            found.append(password)
        return sorted((secret for secret in found if secret), key=len, reverse=True)


_DEFAULT_URLS = {
    ProviderType.OPENAI: ("https://api.openai.com", "https://api.openai.com"),
    ProviderType.GOOGLE: ("https://texttospeech.googleapis.com", "https://speech.googleapis.com"),
    ProviderType.YANDEX: ("https://tts.api.cloud.yandex.net", "https://stt.api.cloud.yandex.net"),
}
_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}
_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class _Settings:
    """Typed access to the raw settings; every error names the key and not the value."""

    def __init__(self, raw: Mapping[str, str | None]) -> None:
        self._raw = raw

    def text(self, key: str, default: str | None = None) -> str:
        value = (self._raw.get(key) or "").strip()
        if value:
            return value
        if default is None:
            raise ConfigError(f"{key} is not set: add it to .env (see .env.example)")
        return default

    def flag(self, key: str, *, default: bool) -> bool:
        value = self.text(key, str(default)).lower()
        if value not in _TRUE | _FALSE:
            raise ConfigError(f"{key} is not a switch: write true or false")
        return value in _TRUE

    def whole(self, key: str, default: int, lowest: int) -> int:
        try:
            value = int(self.text(key, str(default)))
        except ValueError:
            raise ConfigError(f"{key} is not a whole number") from None
        if value < lowest:
            raise ConfigError(f"{key} is too small: the least is {lowest}")
        return value

    def seconds(self, key: str, default: float) -> float:
        try:
            value = float(self.text(key, str(default)))
        except ValueError:
            raise ConfigError(f"{key} is not a number of seconds") from None
        if not 0 < value <= 3600:
            raise ConfigError(f"{key} is out of range: more than 0, at most 3600 seconds")
        return value

    def database_url(self, key: str) -> str:
        value = self.text(key)
        try:
            conninfo_to_dict(value)
        except psycopg.Error:
            raise ConfigError(
                f"{key} is not a PostgreSQL address (postgresql://user:password@host/name)"
            ) from None
        return value

    def host_and_port(self, key: str) -> str:
        value = self.text(key)
        if not re.fullmatch(r"[A-Za-z0-9._-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:]+\](:[0-9]{1,5})?", value):
            raise ConfigError(f"{key} is not host:port (no scheme, no path)")
        return value

    def base_url(self, key: str, default: str) -> str:
        value = self.text(key, default).rstrip("/")
        if not re.fullmatch(r"https?://[^/\s@?#]+(/[^\s?#]*)?", value):
            raise ConfigError(f"{key} is not an http(s) address")
        return value

    def providers(self, key: str) -> dict[ProviderType, ProviderSettings]:
        names = [name.strip().lower() for name in self.text(key, ",".join(ProviderType)).split(",")]
        known = {provider.value for provider in ProviderType}
        if any(name not in known for name in names) or len(set(names)) != len(names):
            raise ConfigError(
                f"{key} is not a list of providers: choose from {', '.join(ProviderType)}, each once"
            )
        spare = len(names) + 1
        return {
            provider: ProviderSettings(True, names.index(provider.value) + 1)
            if provider.value in names
            else ProviderSettings(False, spare)
            for provider in ProviderType
        }


def load_config(folder: Path | None = None, environ: Mapping[str, str] | None = None) -> VoiceConfig:
    """Read `.env` in `folder` (default: the working directory) below `environ` (default: the process's).

    Raises:
        ConfigError: a required key is missing or a value cannot be used; the text names the key.
    """
    file = (folder or Path.cwd()) / ".env"
    try:
        from_file = dotenv_values(file)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {type(error).__name__}") from None
    settings = _Settings({**from_file, **(os.environ if environ is None else environ)})
    stt = settings.providers("STT_PROVIDERS")
    tts = settings.providers("TTS_PROVIDERS")
    used = {provider for provider in ProviderType if stt[provider].enabled or tts[provider].enabled}
    urls = {
        provider: tuple(
            settings.base_url(f"{provider.name}_BASE_URL", default) for default in _DEFAULT_URLS[provider]
        )
        for provider in ProviderType
    }
    log_level = settings.text("LOG_LEVEL", "INFO").upper()
    if log_level not in _LOG_LEVELS:
        raise ConfigError(f"LOG_LEVEL is none of {', '.join(_LOG_LEVELS)}")
    return VoiceConfig(
        database_url=settings.database_url("DATABASE_URL"),
        s3_endpoint=settings.host_and_port("S3_ENDPOINT"),
        s3_secure=settings.flag("S3_SECURE", default=True),
        s3_access_key=settings.text("S3_ACCESS_KEY"),
        s3_secret_key=settings.text("S3_SECRET_KEY"),
        s3_bucket=settings.text("S3_BUCKET"),
        api_token=settings.text("API_TOKEN"),
        provider_keys={
            provider: settings.text(f"{provider.name}_API_KEY", None if provider in used else "")
            for provider in ProviderType
        },
        yandex_folder_id=settings.text("YANDEX_FOLDER_ID", None if ProviderType.YANDEX in used else ""),
        tts_urls={provider: urls[provider][0] for provider in ProviderType},
        stt_urls={provider: urls[provider][1] for provider in ProviderType},
        stt_providers=stt,
        tts_providers=tts,
        provider_timeout_s=settings.seconds("PROVIDER_TIMEOUT_S", 10),
        provider_retries=settings.whole("PROVIDER_RETRIES", 1, 0),
        breaker_failures=settings.whole("BREAKER_FAILURES", 5, 1),
        breaker_reset_s=settings.seconds("BREAKER_RESET_S", 5),
        max_audio_bytes=settings.whole("MAX_AUDIO_BYTES", 25 * 1024 * 1024, 1),
        debug=settings.flag("DEBUG", default=False),
        log_level=log_level,
    )


_current: VoiceConfig | None = None


def get_config() -> VoiceConfig:
    """The configuration of this process, read at the first call."""
    global _current  # noqa: PLW0603  (the one configuration of the process, as get_config/set_config promise)
    if _current is None:
        _current = load_config()
    return _current


def set_config(config: VoiceConfig) -> None:
    """Make `config` the configuration of this process; nothing is written anywhere.

    Raises:
        ConfigError: no provider would be left for an operation.
    """
    global _current  # noqa: PLW0603  (see get_config)
    for operation, providers in (("stt", config.stt_providers), ("tts", config.tts_providers)):
        if not any(settings.enabled for settings in providers.values()):
            raise ConfigError(f"no provider is left enabled for {operation}")
    _current = config
