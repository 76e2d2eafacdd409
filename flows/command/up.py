"""`perenne up`: server, deployments, worker and reports, until it is stopped; nothing stays behind."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import re
import signal
import threading
import time
from pathlib import Path
from types import FrameType

import typer

from flows.command import show, stack
from flows.command.stack import ROOT, Address, StackError
from tasks.config.home import Home
from tasks.config.home import home as the_home
from tasks.tools import service

WORKER_STOP_S, LOOK_S = 15.0, 2.0


def add(cli: typer.Typer) -> None:
    """Add this family's verbs."""
    cli.command()(up)


def up() -> None:
    """Start the Prefect server, the nightly schedule and the reports, and stay until Ctrl-C.

    Example: perenne up
    """
    home = the_home().prepare()
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, functools.partial(_ask_to_end, over))
    with stack.server(home) as address:
        stack.deploy(home, address)
        from flows.command import runs

        if address.started:
            runs.sweep(home)
        runs.watch_for_zombies()
        pages = _serve_reports(home)
        worker = _worker(home, address)
        shown = _choices(home)
        _tell(home, address)
        try:
            while not over.wait(LOOK_S):
                if worker.poll() is not None:
                    runs.sweep(home)  # what it ran died with it
                    worker = _worker(home, address)
                with contextlib.suppress(Exception):  # a server that does not answer is told the next time
                    runs.settle_cut_off()
                if (now := _choices(home)) != shown:
                    shown = now  # the forms list batches and AIPs as they were at their deployment
                    _refresh(home, address)
        finally:
            show.say("Stopping …")
            runs.cancel_all(WORKER_STOP_S)
            _end(worker)
            runs.settle_cut_off()
            pages.shutdown()


def _refresh(home: Home, address: Address) -> None:
    try:
        stack.deploy(home, address)
    except StackError as e:
        show.say(f"The forms still show what there was: {e}")  # the night goes on all the same


def _choices(home: Home) -> tuple[frozenset[str], frozenset[str]]:
    """What the forms let a person choose from: batches in the inbox, AIPs (each has a report since its first run)."""
    return _names(home.inbox), _names(home.reports)


def _names(folder: Path) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))
    except OSError:
        return frozenset()


def _ask_to_end(over: threading.Event, _: int, __: FrameType | None) -> None:
    over.set()


def _worker(home: Home, address: Address) -> service.Service:
    """A Prefect worker that ends with this process, and with it every flow it started."""
    env = {**os.environ, **stack.environment(home, address.port)}
    command = stack.prefect("worker", "start", "--pool", stack.POOL, "--name", "perenne")
    return service.bound(command, env=env, log=home.prefect / "worker.log", cwd=ROOT)


def _end(worker: service.Service) -> None:
    worker.terminate()
    end = time.monotonic() + WORKER_STOP_S
    while worker.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    if worker.poll() is None:
        worker.kill()
        worker.wait()


class _Pages(http.server.SimpleHTTPRequestHandler):
    """Reports, read-only; a page may not load anything from elsewhere."""

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """A page that was read is no news."""


def _serve_reports(home: Home) -> http.server.ThreadingHTTPServer:
    handler = functools.partial(_Pages, directory=str(home.reports))
    port = home.settings().reports_port
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as e:
        raise StackError(f"Port {port} is taken by another program. Set reports_port in perenne.toml.") from e
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def _zone() -> str:
    """Whose 02:00 it is, as prefect.yaml says."""
    found = re.findall(r"timezone: ([\w/+-]+)", (ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    return ", ".join(found)


def _tell(home: Home, address: Address) -> None:
    show.say(f"Prefect     {address.ui}")
    show.say(f"Reports     http://127.0.0.1:{home.settings().reports_port}")
    show.say(f"Inbox       {home.inbox}")
    show.say(f"Every night at 02:00 ({_zone()}) what is ready in the inbox is taken. Ctrl-C stops everything.")
