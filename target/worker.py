"""Runs under the service's own interpreter, fed to it by `target.python_worker`: the service's Python API over a pipe.

Standard library only, Python 3.9 or newer. In: one JSON line a request; the first is the configuration (`folder`,
`environment` or null, `factory`, `requests`). Out: one JSON line an answer, the first with `ready` or `failed`.
Whatever the service prints goes to standard error. The worker ends when its input ends.
"""

from __future__ import annotations

import asyncio
import base64
import enum
import functools
import importlib
import inspect
import json
import os
import signal
import sys
import threading
import time
import traceback
import typing
from typing import Any

CLEANUP_S = 5.0
_AUDIO = ("audio_data", "audio", "audio_content", "audio_bytes", "content", "data")
_TEXT = ("text", "transcript", "transcription", "transcribed_text")
_PROVIDER = ("provider_used", "provider", "provider_name")
_METHODS = {"tts": ("process_tts", "synthesize_speech"), "stt": ("process_stt", "transcribe_audio")}
_REQUESTS = {"tts": "TTSRequest", "stt": "STTRequest"}


class Pipe:
    """The worker's own input and output, moved out of the service's reach."""

    def __init__(self) -> None:
        self._source = os.fdopen(os.dup(0), "rb")
        self._sink = os.fdopen(os.dup(1), "wb")
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # what it prints must not die with it
        self._lock = threading.Lock()

    def read(self) -> dict[str, Any] | None:
        """The next request, None when there are no more."""
        line = self._source.readline()
        return json.loads(line) if line.endswith(b"\n") else None

    def write(self, frame: dict[str, Any]) -> None:
        """Send one answer."""
        line = json.dumps(frame).encode() + b"\n"
        with self._lock:
            self._sink.write(line)
            self._sink.flush()


async def settled(value: Any) -> Any:
    """The value, awaited when it is awaitable."""
    return await value if inspect.isawaitable(value) else value


async def called(function: Any, *args: Any) -> Any:
    """What a function gives; a plain one runs in a thread, so that others are answered meanwhile."""
    if inspect.iscoroutinefunction(function):
        return await function(*args)
    return await settled(await asyncio.get_running_loop().run_in_executor(None, function, *args))


def found(where: Any, names: tuple[str, ...]) -> Any:
    """The first of these that an object has as an attribute or a mapping as a key, or None."""
    for name in names:
        value = where.get(name) if isinstance(where, dict) else getattr(where, name, None)
        if value is not None and not callable(value):
            return value
    return None


def fitted(hint: Any, value: Any) -> Any:
    """A plain value as the type of a request's field wants it: enumerations, and collections of them."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint(value)
    if origin in (frozenset, set, list, tuple) and args:
        return origin(fitted(args[0], item) for item in value)
    wanted = [arg for arg in args if arg is not type(None)]
    if origin is not None and len(wanted) == 1 and len(args) == 2 and type(None) in args:
        return fitted(wanted[0], value)
    return value


def request_of(kind: Any, must: dict[str, Any], may: dict[str, Any]) -> Any:
    """A request object; of `may`, only what its class takes. Raises TypeError when it does not take all of `must`."""
    takes = inspect.signature(kind).parameters
    try:
        hints = typing.get_type_hints(kind)
    except (NameError, TypeError):
        hints = {}
    values = {**must, **{name: value for name, value in may.items() if name in takes}}
    return kind(**{name: fitted(hints.get(name), value) for name, value in values.items()})


class Service:
    """The service's orchestrator, made by its factory."""

    def __init__(self, factory: str, requests: str) -> None:
        module, _, name = factory.partition(":")
        self._factory = getattr(importlib.import_module(module), name)
        self._requests = importlib.import_module(requests)
        self._module = module
        self._service: Any = None

    async def start(self) -> str | None:
        """Make and initialize it; the version that its package states, if any."""
        self._service = await settled(self._factory())
        initialize = getattr(self._service, "initialize", None)
        if initialize is not None:
            await called(initialize)
        parts = self._module.split(".")
        packages = [sys.modules.get(".".join(parts[:n])) for n in range(len(parts), 0, -1)]
        versions = [getattr(package, "__version__", None) for package in packages]
        return next((str(version) for version in versions if version), None)

    def takes(self) -> dict[str, list[str]]:
        """The fields of the request class of each operation."""
        kinds = {operation: getattr(self._requests, name) for operation, name in _REQUESTS.items()}
        return {operation: list(inspect.signature(kind).parameters) for operation, kind in kinds.items()}

    async def stop(self) -> None:
        """Clean up, where the service can."""
        cleanup = getattr(self._service, "cleanup", None)
        if cleanup is not None:
            await called(cleanup)

    async def answer(self, frame: dict[str, Any]) -> dict[str, Any]:
        """Carry out one request. Raises what the service raises."""
        operation = frame["operation"]
        names = _METHODS[operation]
        method = next((getattr(self._service, name) for name in names if hasattr(self._service, name)), None)
        if method is None:
            raise AttributeError(f"{type(self._service).__name__} has none of: {', '.join(names)}")
        must = dict(frame["must"])
        if "audio_data" in must:
            must["audio_data"] = base64.b64decode(must["audio_data"])
        request = request_of(getattr(self._requests, _REQUESTS[operation]), must, frame["may"])
        result = await called(method, request)
        provider = found(result, _PROVIDER)
        provider = provider.value if isinstance(provider, enum.Enum) else provider
        return {
            "status": 200,
            "body": base64.b64encode(body_of(operation, result)).decode(),
            "provider": None if provider is None else str(provider),
        }


def body_of(operation: str, result: Any) -> bytes:
    """What the service answered: audio, or a JSON object with `text`."""
    if operation == "tts":
        audio = result if isinstance(result, (bytes, bytearray, memoryview)) else found(result, _AUDIO)
        if not isinstance(audio, (bytes, bytearray, memoryview)):
            raise TypeError(f"{type(result).__name__} has no bytes in any of: {', '.join(_AUDIO)}")
        return bytes(audio)
    text = result if isinstance(result, str) else found(result, _TEXT)
    if not isinstance(text, str):
        raise TypeError(f"{type(result).__name__} has no text in any of: {', '.join(_TEXT)}")
    return json.dumps({"text": text}).encode()


def refusal(error: BaseException) -> dict[str, Any]:
    """An error of the service as an answer: its own status where it has one (400 to 599), else 500."""
    status = getattr(error, "status", getattr(error, "status_code", None))
    known = isinstance(status, int) and 400 <= status <= 599
    body = {"error": {"type": type(error).__name__, "message": str(error)}}
    return {"status": status if known else 500, "body": base64.b64encode(json.dumps(body).encode()).decode()}


async def serve(pipe: Pipe, service: Service, frames: asyncio.Queue[dict[str, Any] | None]) -> None:
    """Answer requests as they come, concurrently, until there are no more."""
    running: dict[str, asyncio.Task[None]] = {}

    async def one(frame: dict[str, Any]) -> None:
        started = time.monotonic()
        try:
            answer = await service.answer(frame)
        except Exception as error:  # noqa: BLE001  (whatever the service raises is its answer)
            traceback.print_exc()
            answer = refusal(error)
        pipe.write({"id": frame["id"], "seconds": time.monotonic() - started, "provider": None, **answer})

    def forget(name: str, _: asyncio.Task[None]) -> None:
        running.pop(name, None)

    while True:
        frame = await frames.get()
        if frame is None:
            break
        if "cancel" in frame:
            task = running.get(frame["cancel"])
            if task is not None:
                task.cancel()
            continue
        task = asyncio.ensure_future(one(frame))
        running[frame["id"]] = task
        task.add_done_callback(functools.partial(forget, frame["id"]))
    for task in list(running.values()):
        task.cancel()


async def work(pipe: Pipe, configuration: dict[str, Any]) -> None:
    """Start the service, say so, serve."""
    loop = asyncio.get_running_loop()
    frames: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

    def read() -> None:
        frame: dict[str, Any] | None = {}
        while frame is not None:
            frame = pipe.read()
            if frame is None:
                end_soon()
            loop.call_soon_threadsafe(frames.put_nowait, frame)

    threading.Thread(target=read, daemon=True).start()
    try:
        service = Service(configuration["factory"], configuration["requests"])
        version = await service.start()
        ready = {"ready": True, "version": version, "takes": service.takes()}
    except (Exception, SystemExit) as error:  # noqa: BLE001  (whatever it raises is why it cannot start)
        traceback.print_exc()
        pipe.write({"failed": f"{type(error).__name__}: {error}"})
        return
    pipe.write(ready)
    try:
        await serve(pipe, service, frames)
    finally:
        await service.stop()


def end_soon() -> None:
    """Nobody listens any more: whatever the service still does, end with all it started."""
    timer = threading.Timer(CLEANUP_S, end)
    timer.daemon = True
    timer.start()


def end() -> None:
    """End at once, with every process of the group that this worker leads."""
    sys.stderr.flush()
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(0)


def main() -> None:
    """Serve until the input ends."""
    if os.getpgrp() != os.getpid():
        os.setsid()
    pipe = Pipe()
    configuration = pipe.read()
    if configuration is None:
        return
    if configuration["environment"] is not None:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        os.environ.clear()
        os.environ.update({**kept, **configuration["environment"]})
    os.chdir(configuration["folder"])
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:0] = [path for path in (configuration["folder"], *paths) if path not in sys.path]
    try:
        asyncio.run(work(pipe, configuration))
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        end()


if __name__ == "__main__":
    main()
