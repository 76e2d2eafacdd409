"""Siegfried as a resident: the PRONOM identification of many files a line. The only place that imports pygfried.

Its Go runtime hangs every process that is forked after it was loaded, so it may never enter a zygote.
A request is {"files": [names], "id": …}; the answer repeats the id and is {"ok": true, "release": …, "siegfried": …,
"answers": {name: [match, …]}, "errors": {name: text}}. A match without a PUID says why nothing was found; an empty or
unreadable file has an error.
"""

import json
import os
import re
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, TextIO

import pygfried

UNKNOWN = "UNKNOWN"
RELEASE = re.compile(r"DROID_SignatureFile_(V\d+)\.xml; container-signature-(\d+)\.xml")


def identify(scanner: Any, names: Sequence[str]) -> dict[str, Any]:
    """What Siegfried says of each file, in PRONOM's words."""
    said = scanner.identify_many(names, workers=1)
    answers: dict[str, list[dict[str, Any]]] = {}
    errors: dict[str, str] = {}
    for file in said["files"]:
        if file["errors"]:
            errors[file["filename"]] = file["errors"]
        answers[file["filename"]] = [_match(match) for match in file["matches"] if match["ns"] == "pronom"]
    return {"ok": True, "release": _release(said), "siegfried": said["siegfried"], "answers": answers, "errors": errors}


def _match(match: dict[str, str]) -> dict[str, Any]:
    return {
        "puid": None if match["id"] == UNKNOWN else match["id"],
        "name": match["format"],
        "version": match["version"],
        "mime": match["mime"],
        "basis": match["basis"],
        "warning": match["warning"],
    }


def _release(said: dict[str, Any]) -> str:
    details = next(part["details"] for part in said["identifiers"] if part["name"] == "pronom")
    found = RELEASE.search(details)
    return f"{found[1]} (container signatures {found[2]})" if found else str(details)


def _answers() -> TextIO:
    # Whatever else is printed in this process goes to standard error and can not pass for an answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def main() -> int:
    """Serve until the input ends."""
    answers = _answers()
    scanner = pygfried.Scanner()
    first = identify(scanner, [__file__])  # loads the signatures, and tells their release
    agents = [["Siegfried", first["siegfried"]], ["pygfried", version("pygfried")], ["PRONOM", first["release"]]]
    print(json.dumps({"agents": agents}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        reply = identify(scanner, request["files"])
        print(json.dumps({**reply, "id": request["id"]}), file=answers, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
