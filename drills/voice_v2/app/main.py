"""The ASGI application: `python -m uvicorn app.main:app`."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException

from app import api
from app.process import Stopper, this_release
from app.services.voice_v2 import metrics
from app.services.voice_v2.core.config import get_config
from app.services.voice_v2.core.errors import ConfigError, InvalidRequestError, VoiceError
from app.services.voice_v2.core.schemas import Operation
from app.services.voice_v2.orchestrator import VoiceServiceOrchestrator

logger = logging.getLogger("app")

try:
    config = get_config()
except ConfigError as error:
    sys.exit(f"voice-v2 cannot start: {error}")

logging.basicConfig(level=config.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
for _chatty in ("httpx", "httpcore", "urllib3", "psycopg.pool"):
    logging.getLogger(_chatty).setLevel(logging.ERROR)

release = this_release()
orchestrator = VoiceServiceOrchestrator()
stopper = Stopper()


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
    with stopper.listening():
        async with orchestrator:
            logger.info("voice-v2 %s %s is up", release.version, release.revision)
            yield


app = FastAPI(title="voice-v2", lifespan=_lifespan, docs_url=None, redoc_url=None, openapi_url=None)


async def _serve(request: Request, operation: Operation, work: Callable[[], Awaitable[Response]]) -> Response:
    """Check the token, do the work, count it; every error becomes a body that is safe to show."""
    started = time.monotonic()
    status = "ok"
    try:
        api.authorize(request, config)
        async with stopper.request():
            return await work()
    except VoiceError as error:
        status = "rejected" if error.status < 500 else "error"
        return api.error_response(error, config)
    except Exception as error:
        status = "error"
        logger.error("unexpected error: %s", config.scrub(repr(error)), exc_info=config.debug)  # noqa: TRY400  (a traceback may show a secret; DEBUG decides)
        failure = VoiceError("internal error")
        failure.__cause__ = error
        return api.error_response(failure, config)
    finally:
        metrics.REQUESTS.labels(operation.value, status).inc()
        metrics.REQUEST_SECONDS.labels(operation.value).observe(time.monotonic() - started)


@app.post("/v1/audio/speech")
async def speech(request: Request) -> Response:
    """Text in, audio out."""

    async def work() -> Response:
        return api.speech_response(await orchestrator.process_tts(await api.read_speech(request)))

    return await _serve(request, Operation.TTS, work)


@app.post("/v1/audio/transcriptions")
async def transcriptions(request: Request) -> Response:
    """Audio in, text out."""

    async def work() -> Response:
        return api.transcript_response(
            await orchestrator.process_stt(await api.read_recording(request, config))
        )

    return await _serve(request, Operation.STT, work)


@app.get("/health")
async def health() -> Response:
    """The state of the service; 503 when it cannot serve."""
    report = await orchestrator.health()
    body = {
        "system_status": report.system_status,
        "version": release.version,
        "revision": release.revision,
        "started_at": release.started_at,
        "debug": config.debug,
        "providers": report.providers,
        "components": report.components,
    }
    return JSONResponse(body, 503 if report.system_status == "unhealthy" else 200)


@app.get("/metrics")
async def exposed_metrics() -> Response:
    """The counters in Prometheus's text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


@app.exception_handler(HTTPException)
async def _http_error(_: Request, error: HTTPException) -> Response:
    failure = InvalidRequestError(error.detail)
    body = {
        "message": str(failure),
        "type": failure.type,
        "code": "not_found" if error.status_code == 404 else "http",
    }
    return JSONResponse({"error": body}, error.status_code, error.headers)
