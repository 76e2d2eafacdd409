"""The independent OCFL validator, loaded once: `validating.py <script>`, for the interpreter that has ocfl-py.

Each line on standard input is a file and what to validate, as JSON. The script runs for it in a fork of its own, as if
it had been started, writes all that it says to the file, and its exit code is answered as a line.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import traceback

import ocfl  # noqa: F401  this is what takes long: most of a second of CPU


def as_started(script: str, told: str, paths: list[str]) -> int:
    """The exit code of the script in this process."""
    out = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
    sys.argv = [script, *paths]
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as ended:
        return int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def main(script: str) -> None:
    for line in sys.stdin:
        told, *paths = json.loads(line)
        sys.stdout.flush()
        if (child := os.fork()) == 0:
            code = as_started(script, told, paths)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
