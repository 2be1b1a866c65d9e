"""A certificate that has expired, made by OpenSSL."""

import ssl
import subprocess
import tempfile
from pathlib import Path

from drills.stacks.errors import StackError

_MAKE_S = 20.0
_NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


def expired() -> ssl.SSLContext:
    """A server's context with a certificate, its own issuer, that ran out yesterday. Raises StackError: no OpenSSL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory(prefix="voice-v2-network-") as made_in:
        folder = Path(made_in)
        key, request, certificate = folder / "key.pem", folder / "request.pem", folder / "certificate.pem"
        _openssl(
            *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-subj", "/CN=localhost", "-addext", _NAMES, "-keyout", str(key), "-out", str(request)),
        )
        _openssl(
            *("x509", "-req", "-in", str(request), "-signkey", str(key), "-copy_extensions", "copy"),
            *("-days", "-1", "-out", str(certificate)),
        )
        context.load_cert_chain(certificate, key)
    return context


def _openssl(*words: str) -> None:
    try:
        made = subprocess.run(
            ["openssl", *words], capture_output=True, text=True, timeout=_MAKE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StackError(f"network: openssl cannot be run: {error}") from None
    if made.returncode != 0:
        raise StackError(f"network: openssl {words[0]} fails: {made.stderr.strip()[-200:]}")
