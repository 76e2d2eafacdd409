"""Office documents read without LibreOffice: an independent eye on what the producer wrote.

One module a family of formats. Each answers with a `SourceText`, in the order of the document, and tells the text that
a page shows from the text that is hidden, deleted or only remarked. Runs in a sealed job alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class SourceText:
    """The words of a document by what becomes of them on paper; each string is one paragraph, cell or shape.

    `shown` must be found in a faithful product. None of the others is owed by a page: `deleted` are tracked deletions,
    `hidden` is what the author had switched off (letters, rows, sheets), `notes` are comments and speaker's notes.
    """

    kind: str
    shown: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Unreadable(Exception):  # noqa: N818  not an error: the format is one that this eye cannot read
    """The text of this source cannot be read independently; the message says why."""
