"""A program on a host that answers JSON lines with JSON lines, and never keeps anyone waiting."""

import asyncio
import contextlib
import itertools
import json
import os
import signal
from typing import Any

from target.connection import Connection
from target.errors import ApiError
from target.host import Host
from target.redact import Redactor

_LONGEST_LINE = 128 << 20
_TAIL = 4096
_CLEANUP_S = 8.0
_LAST_WORDS_S = 1.0
_LOOK_S = 0.01
# Reads the program from the first line of its input, byte by byte, so that the rest is left for the program.
_BOOT = (
    'import json;exec(compile(json.loads(open(0,"rb",0,closefd=False).readline()),"worker.py","exec"),'
    '{"__name__":"__main__"})'
)
# All that a program on this machine gets of this process's environment: a service must not see the operator's.
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "USER", "LOGNAME", "TMPDIR", "TZ")


class Pipe:
    """Runs a Python program's `source` under an interpreter of the host. For one event loop; safe to call concurrently.

    What it prints besides is kept: its last lines are in every ApiError. The program has to end when its input ends,
    which is how it is stopped on a host that is not this machine.
    """

    def __init__(self, host: Host, interpreter: str, source: str, redactor: Redactor) -> None:
        self._place = f"python worker on {host.url}"
        self._host = host
        self._interpreter = interpreter
        self._source = source
        self._redactor = redactor
        self._process: asyncio.subprocess.Process | None = None
        self._readers: list[asyncio.Task[None]] = []
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._names = map(str, itertools.count(1))
        self._tail = b""
        self._over: str | None = None

    async def start(self, configuration: dict[str, Any], *, timeout_s: float) -> dict[str, Any]:
        """Start the program with this as its first line; its first answer. Raises ApiError: none in time."""
        # `-B`: nothing is written into the service's folders.
        words = [self._interpreter, "-B", "-c", _BOOT]
        argv = await asyncio.to_thread(Connection(self._host.url).argv, words)
        local = self._host.url.startswith("local:")
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ} if local else None
        try:
            self._process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=_LONGEST_LINE,
                start_new_session=True,
                env=environment,
            )
        except OSError as error:
            raise ApiError(
                f"{self._place}: cannot start {argv[0]}: {error.strerror}; see api.python.interpreter"
            ) from None
        ready = self._expect("")
        listening = asyncio.create_task(self._listen_aside())
        self._readers = [listening, asyncio.create_task(self._listen(listening))]
        first = json.dumps(self._source).encode() + b"\n" + json.dumps(configuration).encode() + b"\n"
        try:
            told = await self._exchange(first, "", ready, timeout_s, "not ready")
        except ApiError:
            await self.aclose()
            raise
        if "failed" in told:
            await self.aclose()
            raise ApiError(f"{self._place}: the service does not start: {self._shown(told['failed'])}")
        return told

    async def ask(self, frame: dict[str, Any], *, timeout_s: float) -> dict[str, Any]:
        """The answer to one request. Raises ApiError when the program has died, or gives none in time."""
        if self._over is not None or self._process is None:
            raise ApiError(self._over or f"{self._place}: not started")
        name = next(self._names)
        answer = self._expect(name)
        line = json.dumps(frame | {"id": name}).encode() + b"\n"
        return await self._exchange(line, name, answer, timeout_s, "no answer")

    async def aclose(self) -> None:
        """End the input, give the program time to clean up, then kill whatever is left of it here."""
        process, self._process = self._process, None
        if process is None:
            return
        self._over = self._over or f"{self._place}: closed"
        if process.stdin is not None:
            process.stdin.close()
        try:
            await _status(process, _CLEANUP_S)
        finally:
            _kill(process)
        await _status(process, _LAST_WORDS_S)
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001  (a survivor may hold the pipes open)

    def _expect(self, name: str) -> "asyncio.Future[dict[str, Any]]":
        self._waiting[name] = asyncio.get_running_loop().create_future()
        return self._waiting[name]

    async def _exchange(
        self,
        line: bytes,
        name: str,
        answer: "asyncio.Future[dict[str, Any]]",
        timeout_s: float,
        otherwise: str,
    ) -> dict[str, Any]:
        try:
            async with asyncio.timeout(timeout_s):
                await self._send(line)
                return await answer
        except TimeoutError:
            with contextlib.suppress(ApiError, TimeoutError):
                async with asyncio.timeout(_LAST_WORDS_S):
                    await self._send(json.dumps({"cancel": name}).encode() + b"\n")
            raise ApiError(f"{self._place}: {otherwise} within {timeout_s:g} s{self._last_words()}") from None
        finally:
            self._waiting.pop(name, None)

    async def _send(self, line: bytes) -> None:
        process = self._process
        if process is None or process.stdin is None:
            raise ApiError(f"{self._place}: closed")
        # A pipe that breaks here is told by `_listen`, with the reason.
        with contextlib.suppress(ConnectionError):
            process.stdin.write(line)
            await process.stdin.drain()

    async def _listen(self, aside: "asyncio.Task[None]") -> None:
        """Hand answers to those who wait; at the end tell all of them what happened."""
        process = self._process
        if process is None or process.stdout is None:
            return
        async for line in process.stdout:
            try:
                told = json.loads(line)
                answer = self._waiting.pop(told.get("id", ""), None)
            except (ValueError, AttributeError):
                self._tail = (self._tail + line)[-_TAIL:]
                continue
            if answer is not None and not answer.done():
                answer.set_result(told)
        status = await _status(process, _LAST_WORDS_S)
        if status is None:  # ssh waits for whoever still holds the other end of standard error
            _kill(process)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(aside), _LAST_WORDS_S)
        if self._over is None:
            known = f" with status {status}" if status is not None else ""
            self._over = f"{self._place}: died{known}{self._last_words()}"
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ApiError(self._over))

    async def _listen_aside(self) -> None:
        process = self._process
        if process is None or process.stderr is None:
            return
        while part := await process.stderr.read(_TAIL):
            self._tail = (self._tail + part)[-_TAIL:]

    def _last_words(self) -> str:
        lines = [line.strip() for line in self._tail.decode("utf-8", "replace").splitlines() if line.strip()]
        return f"; it last said: {self._shown(' / '.join(lines[-3:]))}" if lines else "; it said nothing"

    def _shown(self, text: str) -> str:
        return " ".join(self._redactor.text(text).split())[-500:]


async def _status(process: asyncio.subprocess.Process, within_s: float) -> int | None:
    """The exit status, None when it has not ended in time. asyncio's own `wait` waits for the pipes' other ends too."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while process.returncode is None and loop.time() < deadline:  # noqa: ASYNC110  (no event tells of it)
        await asyncio.sleep(_LOOK_S)
    return process.returncode


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
