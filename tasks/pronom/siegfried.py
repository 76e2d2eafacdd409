"""Siegfried's answers as identifications. The resident meets the bytes; here its words are checked and ranked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from tasks.premis.model import Basis, Identification, Trouble
from tasks.pronom.puid import is_puid

if TYPE_CHECKING:
    from tasks.tools.job import Job

_EMPTY = "empty source"
_LONGEST = 10_000  # characters; what Siegfried says of a match has some hundred
_CONTAINERS = ("mscfb: ", "zip: ", "flate: ", "unexpected EOF")  # its readers of compound files and of zips
_TEXTS = ("name", "version", "mime", "basis", "warning")
# Siegfried tells everything a match rests on; the strongest counts.
_BASES = (
    ("container ", Basis.CONTAINER),
    ("byte match", Basis.SIGNATURE),
    ("text match", Basis.TEXT),
    ("extension match", Basis.EXTENSION),
)


def identify(names: Sequence[str], job: Job, /) -> dict[str, Identification]:
    """One identification for each name, which is relative to the job's folder (`in/source.pdf`).

    `puid` is the match with the strongest basis, the first of equals; `others` are further matches. No match is
    `puid` None with basis NOTHING and Siegfried's reason as `warning`; an empty file has basis EMPTY, one that could
    not be read ERROR. A match on the extension alone has basis EXTENSION and a warning.
    Raises Trouble, also `tool-crash` when the answer is not in the shape agreed with the resident.
    """
    reply = job.ask("siegfried", {"files": list(names)})
    return {name: read_answer(reply, name) for name in names}


def read_answer(reply: Mapping[str, Any], name: str) -> Identification:
    """The identification of one file in a reply of the resident. Raises Trouble `tool-crash` for a foreign shape."""
    release, answers, errors = reply.get("release"), reply.get("answers"), reply.get("errors", {})
    if not isinstance(release, str) or not isinstance(answers, Mapping) or not isinstance(errors, Mapping):
        _refuse("an answer without release or answers")
    if error := errors.get(name):
        basis = Basis.EMPTY if _EMPTY in str(error) else Basis.ERROR
        return Identification(None, basis=basis, warning=str(error)[:_LONGEST], release=release)
    matches = answers.get(name)
    if not isinstance(matches, list) or not matches:
        _refuse(f"no answer for {name}")
    return _strongest([_match(match, release) for match in matches])


def trouble(error: str) -> Trouble:
    """What it means that Siegfried could not read a file: a broken container is the file's fault, all else its own."""
    if error.startswith(_CONTAINERS):
        return Trouble("source-damaged", what=f"its container cannot be read ({error})")
    return Trouble("tool-crash", tool="Siegfried", signal=error)


def _strongest(found: Sequence[Identification]) -> Identification:
    strength = {basis: rank for rank, basis in enumerate(Basis)}
    first, *rest = sorted(found, key=lambda match: strength[match.basis])
    others = tuple(dict.fromkeys(match.puid for match in rest if match.puid and match.puid != first.puid))
    return Identification(
        first.puid, first.name, first.version, first.mime, first.basis, first.warning, others, first.release
    )


def _match(match: object, release: str) -> Identification:
    if not isinstance(match, Mapping) or not all(_is_text(match.get(key)) for key in _TEXTS):
        _refuse("a match that is none")
    puid = match.get("puid")
    if puid is None:
        return Identification(None, basis=Basis.NOTHING, warning=match["warning"], release=release)
    if not is_puid(puid):
        _refuse("a PUID that is none")
    basis = next((basis for word, basis in _BASES if word in match["basis"]), None)
    if basis is None:
        _refuse("a match that rests on nothing known")
    return Identification(puid, match["name"], match["version"], match["mime"], basis, match["warning"], (), release)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST


def _refuse(why: str) -> NoReturn:
    raise Trouble("tool-crash", tool="Siegfried", signal=why)
