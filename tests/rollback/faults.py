"""Faults in the middle: the n-th thing that an action does on its host fails, once or for good."""

from collections.abc import Callable
from typing import Any

import pytest

from target.errors import HostError
from tests.rollback.place import Place
from tests.rollback.quick import QuickHost, QuickService

FAULTS = {
    "disk full": "local://: cannot write: No space left on device; free some space there",
    "permission denied": "local://: cannot write: Permission denied; connect as a user who may",
    "connection lost": "ssh://voice-1: cannot be reached: Connection closed by remote host",
    "answer lost": "ssh://voice-1: cannot be reached: Timeout, server voice-1 not responding",
}
# What changes something on the host. Where the disk is full or a permission is missing, reading still works.
_WRITING = (
    *("append", "write_atomically", "make_folder", "claim", "copy_beside", "rename", "remove"),
    *("shell", "run"),
)
_ALL = (*_WRITING, "read", "list", "facts", "now")
# What a service's control does there.
_CONTROL = ("status", "stop", "start", "logs")


class Fault:
    """Fails the `nth` call (from 1) to a host, or with `for_good` every one from then on.

    Where the answer is lost, the host has carried out the `nth` call, and nobody is told.
    """

    def __init__(self, kind: str, nth: int, *, for_good: bool) -> None:
        self.says = FAULTS[kind]
        self.nth = nth
        self.names = _ALL if kind.endswith("lost") else _WRITING
        self.late = kind == "answer lost"
        self.for_good = for_good
        self.calls = 0

    @property
    def struck(self) -> bool:
        return self.calls >= self.nth

    def patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in self.names:
            monkeypatch.setattr(QuickHost, name, self._failing(getattr(QuickHost, name)))
        for name in _CONTROL if self.names is _ALL else ():
            monkeypatch.setattr(QuickService, name, self._failing(getattr(QuickService, name)))

    def _failing(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(host: QuickHost | QuickService, *words: Any, **more: Any) -> Any:
            self.calls += 1
            if self.calls == self.nth or (self.for_good and self.calls > self.nth):
                if self.late and self.calls == self.nth:
                    real(host, *words, **more)
                raise HostError(self.says)
            return real(host, *words, **more)

        return call


def strike_everywhere(
    place: Place,
    words: list[str],
    kind: str,
    *,
    for_good: bool,
    reset: Callable[[], None],
    is_new: Callable[[], None],
    is_old: Callable[[], None],
    every: int = 1,
) -> None:
    """Run an action once for each call that it makes to its host, failing that one; old or new, never a mixture.

    What is told is one clear error with what to do, and a run that could not be brought to an end is resumable.
    `every`: only each so-manieth call, from the first to the last, where one run takes long.
    """
    codes = set()
    for nth in range(1, 500, every):
        reset()
        fault = Fault(kind, nth, for_good=for_good)
        with pytest.MonkeyPatch.context() as patch:
            fault.patch(patch)
            code, out = place.run(*words)
        out = " ".join(out.split())
        if not fault.struck:
            break
        codes.add(code)
        assert "Traceback" not in out
        assert "error inside this tool" not in out, out
        if code == 0:
            is_new()
        elif code in (1, 4, 5):
            is_old()
            assert FAULTS[kind].partition(": ")[2] in out, out
        else:
            assert code in (2, 3), out
            assert "--resume" in out
            # The lock could not be released either; as a rule its process is gone by now, here it is this one.
            left = ["--break-lock", "--yes"] if (place.state / "lock").exists() else []
            again, said = place.run(words[0], "--resume", *left)
            # Where the last line was written and only its answer lost, there is nothing to go on with.
            done = again == 0 or (kind == "answer lost" and again == 5 and "was finished" in said)
            assert done or again == 1, said
            (is_new if done else is_old)()
    else:
        pytest.fail("the run never came to its end without the fault")
    middle = 3 if for_good or "--undo" in words else 1
    assert codes >= {middle, 4}, "it struck before the first change, and in the middle"
