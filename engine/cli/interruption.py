"""Signals that ask to stop: the first one after the work at hand, the second one at once.

Python runs its own handlers only between two steps of the interpreter, which a long computation does not
take. The number of a signal is written to a socket the moment it arrives, though, and a thread that waits
there can act on it.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from types import TracebackType
from typing import Any

from engine.cli.words import say

# SIGUSR1 is what Slurm is commonly asked to send ahead of the end of a job, SIGUSR2 what submitit asks for.
# Where submitit runs the task it answers SIGUSR2 itself, and queues the task again while there is time.
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


class Interruption:
    """While entered: `signum` is the signal that asked to stop, or None.

    Where signals cannot be caught, which is outside the main thread, none ever does.
    """

    def __init__(self) -> None:
        self.signum: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is not threading.main_thread():
            return self
        self._receive, self._send = socket.socketpair()
        self._send.setblocking(False)
        self._wakeup = signal.set_wakeup_fd(self._send.fileno(), warn_on_full_buffer=False)
        for number in STOPPING:
            if number == signal.SIGUSR2 and callable(signal.getsignal(number)):
                continue
            self._previous[number] = signal.signal(number, lambda *_: None)
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def _watch(self) -> None:
        with self._receive:
            while received := self._receive.recv(1):
                if received[0] in self._previous:  # not what somebody else answers
                    self._note(received[0])

    def _note(self, signum: int) -> None:
        name = signal.Signals(signum).name
        if self.signum is not None:
            os.write(2, f"engine: {name} again, stopped at once\n".encode())
            os._exit(128 + signum)
        self.signum = signum
        say(f"{name}: stopping after the blocks at hand")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._previous:
            return
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        self._send.close()  # ends the watching thread
        self._previous = {}
