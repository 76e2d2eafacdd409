"""Walk through Perenne as a new user does, and write down what is really said: docs/walk.md and docs/pictures/.

    .venv/bin/python docs/walk.py

Takes some minutes and Debian's `chromium`; a home of its own in a temporary folder, so nothing of yours is touched.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import tempfile
import termios
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE, PICTURES = ROOT / "docs" / "walk.md", ROOT / "docs" / "pictures"
COLUMNS = 80
MARK = "<!-- Written by docs/walk.py from a real run; change the code, then run it again. -->"
BATCH = "văn-bản-demo"
SETTINGS = "server_port = 4330\nreports_port = 4331\n"
ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Step:
    """One command with what is to be said before it."""

    text: str
    command: str


STEPS = (
    Step("## Is this machine fit?", "perenne doctor"),
    Step(
        "## What would be done\n\nThe demo delivery lies in the inbox. Before anything is written:",
        f"perenne plan {BATCH}",
    ),
    Step("## Do it", f"perenne run {BATCH}"),
    Step("The same again costs a look:", f"perenne run {BATCH}"),
    Step("## How does everything stand?", "perenne status"),
    Step("In Vietnamese, and what is the matter with one batch, in French:", "perenne status --lang vi"),
    Step("", f"perenne status {BATCH} --lang fr"),
    Step(
        "## One kind of trouble again\n\nWhat a rule or a tool once could not do is done again by its code; the dry run says what that is:",
        f'perenne reprocess {BATCH} --reason "the producer sent the words" --code text-lost --dry-run',
    ),
    Step("", f'perenne reprocess {BATCH} --reason "the producer sent the words" --code text-lost'),
    Step("## Prove it", f"perenne history {BATCH} công-văn/2003/công-văn-vntime.docx"),
    Step("", f"perenne verify {BATCH}"),
    Step("## Wrong use says what it saw", f"perenne plan {BATCH} --code text-lots"),
)


def said(command: str, env: dict[str, str]) -> str:
    """What a command says on a terminal of 80 columns, its progress left out; the exit code where it is not 0."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    verb, *arguments = shlex.split(command)
    argv = [str(ROOT / ".venv" / "bin" / verb), *arguments]
    with tempfile.TemporaryFile() as progress:
        running = subprocess.Popen(argv, stdout=theirs, stderr=progress, stdin=subprocess.DEVNULL, env=env, cwd=ROOT)
        os.close(theirs)
        out = b""
        while True:
            try:
                some = os.read(ours, 65536)
            except OSError:
                break
            if not some:
                break
            out += some
        code = running.wait()
        os.close(ours)
        progress.seek(0)
        wrong = progress.read() if code in (2, 3) else b""
    text = ESCAPES.sub(b"", out + wrong).replace(b"\r\n", b"\n").decode().rstrip("\n")
    return f"{text}\n[exit code {code}]" if code else text


def written(env: dict[str, str]) -> str:
    """The page: every step with its command and what it said."""
    parts = [
        "# A walk through",
        MARK,
        "A fresh home, the demo delivery of `fixtures/make.py demo`, a terminal of 80 columns. On a terminal a run shows its "
        "stages meanwhile, with the file in hand and the time that is left.",
    ]
    for step in STEPS:
        print(step.command, flush=True)
        parts += [step.text] if step.text else []
        parts.append(f"```console\n$ {step.command}\n{said(step.command, env)}\n```")
    parts += [
        "## On Prefect's page, and in the report",
        "`perenne up` prints both addresses. The run, its summary, the form for reprocessing, the report of the AIP, and the page "
        "of one file:",
        *(f"![{name}](pictures/{name}.png)" for name in ("run", "summary", "reprocess", "report", "file")),
    ]
    return "\n\n".join(parts) + "\n"


def photographed(env: dict[str, str]) -> None:
    """The pictures, from a running `perenne up`."""
    up = subprocess.Popen([str(ROOT / ".venv/bin/perenne"), "up"], env=env, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert up.stdout is not None
        for line in up.stdout:
            if "02:00" in line:
                break
        time.sleep(5)
        shots = [sys.executable, str(ROOT / "docs" / "screenshots.py"), str(PICTURES), "--walk"]
        subprocess.run(shots, env=env, check=True)
    finally:
        up.terminate()
        up.wait()


def main() -> None:
    """Write the page and its pictures."""
    with tempfile.TemporaryDirectory(prefix="walk-") as folder:
        home = Path(folder) / "perenne"
        env = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("PERENNE_", "PREFECT_"))},
            "HOME": folder, "PERENNE_HOME": str(home), "TZ": "Asia/Ho_Chi_Minh", "TERM": "xterm-256color",
            "COLUMNS": str(COLUMNS), "LC_ALL": "C.UTF-8",
        }  # fmt: skip
        (home / "inbox").mkdir(parents=True)
        (home / "perenne.toml").write_text(SETTINGS, encoding="utf-8")
        subprocess.run([sys.executable, "fixtures/make.py", "demo", str(home / "inbox")], check=True, cwd=ROOT, env=env)
        text = written(env)
        PAGE.write_text(text.replace(folder, "~"), encoding="utf-8")
        photographed(env)


if __name__ == "__main__":
    main()
