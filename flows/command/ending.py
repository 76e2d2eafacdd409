"""How a command's run ends before its time: softly, or at once, and always with states that tell the truth."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

from flows.command import stack
from flows.command.exits import Exit
from flows.here import Here
from tasks.aip.progress import board
from tasks.tools import shared
from tasks.words import text

_GRACE_S, _AT_ONCE_S, _TELL_S, _LOOK_S = 20.0, 6.0, 3.0, 2.0


class AtOnce(KeyboardInterrupt):
    """The run is to end now; no `except Exception` on its way out takes it for a fault."""


class Ending:
    """What asked the run of this process to end, and how it does: once at once, however often it is asked."""

    def __init__(self) -> None:
        self.why = ""
        self._over = threading.Event()

    @contextlib.contextmanager
    def watched(self, address: stack.Address) -> Iterator[None]:
        """Signals, Prefect's page and the server's death end the run inside; leaving it ends the watching."""
        signal.signal(signal.SIGINT, self._softly)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._signalled)
        signal.signal(signal.SIGUSR1, _now)  # how another thread ends the main one
        stack.watch(address, self._without_server)
        threading.Thread(target=self._look, name="cancel", daemon=True).start()
        try:
            yield
        except KeyboardInterrupt:
            pass
        except BaseException:
            if not self.why:  # else what broke on the way out broke because of that
                raise
        finally:
            self._over.set()
        if self.why:
            self._tell()

    def _softly(self, number: int, _: FrameType | None) -> None:
        """Ctrl-C stops after the files in hand; a second one at once."""
        if board.stop.is_set():
            self._signalled(number, _)
        else:
            board.stop.set()
            _say(text("stopping"))

    def _signalled(self, number: int, _: FrameType | None) -> None:
        if not self.why:
            self._begin(f"Stopped by {signal.Signals(number).name}.")
            raise AtOnce

    def _look(self) -> None:
        """Nobody else acts on the button of Prefect's page: a command's run has no worker."""
        from flows.command import runs

        with runs.client() as server:
            while not self._over.wait(_LOOK_S):
                try:
                    asked = Here.id is not None and runs.to_be_cancelled(Here.id, server)
                except Exception:  # noqa: S112  a server that does not answer asks for nothing
                    continue
                if asked and not self.why:
                    self._begin("Cancelled on Prefect's page.")
                    os.kill(os.getpid(), signal.SIGUSR1)
                    return

    def _begin(self, why: str) -> None:
        self.why = why
        board.stop.set()
        threading.Thread(target=self._force, name="force", daemon=True).start()

    def _force(self) -> None:
        """Jobs die now; a thread that copies or reads cannot be ended but with its process, and that loses nothing."""
        _say(f"{self.why} The same command goes on from there.")
        shared.close()
        if not self._over.wait(_AT_ONCE_S):
            self._tell()
            os._exit(Exit.INTERRUPTED)

    def _tell(self) -> None:
        """Tell the server, but do not wait for one that does not answer."""
        from flows.command import runs

        def tell() -> None:
            if Here.id is not None:
                with contextlib.suppress(Exception):
                    runs.cancelled(Here.id, self.why)

        telling = threading.Thread(target=tell, daemon=True)
        telling.start()
        telling.join(_TELL_S)

    def _without_server(self) -> None:
        """Prefect waits for its server for ever; we do not. What is in hand may end, and a kill loses nothing."""
        if not self._over.is_set():
            board.stop.set()
            _say(text("server-gone-go-on"))
            if not self._over.wait(_GRACE_S):
                os._exit(Exit.INTERRUPTED)


def _now(_: int, __: FrameType | None) -> None:
    raise AtOnce


def _say(text: str) -> None:
    sys.stderr.write(f"\n{text}\n")
    sys.stderr.flush()
