"""A way to a real server that is lost in the middle: whoever goes by it is cut off when certain bytes pass."""

import contextlib
import socket
import threading
from collections.abc import Iterator


class Line:
    """Carries what is sent to 127.0.0.1:`port` to a server's port, until `cut` says that it is lost."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._signs: list[bytes] = []
        self._answered = self._for_good = self.struck = False
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._mutex = threading.Lock()
        self._listener = self._listen(0)
        self.port: int = self._listener.getsockname()[1]

    def cut(self, *signs: bytes, answered: bool = False, for_good: bool = False) -> None:
        """Lose the connection on which the last of these texts passes, once they have passed in this order.

        Where it is `answered` the server has got it and has done it, and its answer is what is lost. With `for_good`
        every connection is lost and no other is to be had until `mend`.
        """
        self._signs = [sign.lower() for sign in signs]
        self._answered, self._for_good, self.struck = answered, for_good, False

    def mend(self) -> None:
        """Let connections through again."""
        self._signs = []
        if self._listener.fileno() < 0:
            self._listener = self._listen(self.port)

    def close(self) -> None:
        """Lose every connection; no other is to be had."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._mutex:
            for pair in self._pairs:
                _drop(pair)
            self._pairs.clear()

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):  # it was closed
            while True:
                client = listener.accept()[0]
                pair = client, socket.create_connection(("127.0.0.1", self._to), 10)
                pair[1].settimeout(None)
                lost = threading.Event()
                with self._mutex:
                    self._pairs.append(pair)
                for source, sink in (pair, pair[::-1]):
                    threading.Thread(target=self._carry, args=(source, sink, pair, lost), daemon=True).start()

    def _carry(
        self,
        source: socket.socket,
        sink: socket.socket,
        pair: tuple[socket.socket, socket.socket],
        lost: threading.Event,
    ) -> None:
        with contextlib.suppress(OSError):  # the other direction has ended it
            while data := source.recv(1 << 16):
                asked = source is pair[0]
                if asked and self._strikes(data):
                    lost.set()
                if lost.is_set() and asked != self._answered:
                    if self._for_good:
                        self.close()
                    break
                sink.sendall(data)
        _drop(pair)

    def _strikes(self, data: bytes) -> bool:
        with self._mutex:
            if not self._signs or self._signs[0] not in data.lower():
                return False
            del self._signs[0]
            self.struck = not self._signs
            return self.struck


def _drop(pair: tuple[socket.socket, socket.socket]) -> None:
    for end in pair:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


@contextlib.contextmanager
def line_to(port: int) -> Iterator[Line]:
    """A `Line`, closed at the end of the block."""
    line = Line(port)
    try:
        yield line
    finally:
        line.close()
