"""OLE2 compound files (doc, xls, ppt and encrypted OOXML) within bounds."""

from __future__ import annotations

import io
from types import TracebackType

import olefile

from tasks.premis.model import Trouble

MOST_STREAM = 512 << 20


class Compound:
    """An OLE2 file opened for reading; streams are known by their path, without case."""

    def __init__(self, source: str | io.BytesIO) -> None:
        """Open `source`. Raises Trouble `source-damaged`."""
        try:
            self._ole = olefile.OleFileIO(source)
            self._streams = {"/".join(s): s for s in self._ole.listdir(streams=True, storages=False)}
            self._storages = {"/".join(s) for s in self._ole.listdir(streams=False, storages=True)}
        except Exception as e:  # olefile raises what the bytes make it raise
            raise Trouble("source-damaged", what=f"the compound file does not open ({e})") from e

    def __enter__(self) -> Compound:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ole.close()

    @property
    def streams(self) -> list[str]:
        """The paths of all streams, `Storage/Stream`."""
        return list(self._streams)

    @property
    def storages(self) -> set[str]:
        """The paths of all storages."""
        return self._storages

    def find(self, *names: str) -> str | None:
        """The first of `names` that the root holds, as the file spells it."""
        folded = {s.casefold(): s for s in self._streams}
        return next((folded[n.casefold()] for n in names if n.casefold() in folded), None)

    def read(self, name: str) -> bytes:
        """The bytes of a stream. Raises Trouble `source-damaged` when it is missing or broken."""
        path = self._streams.get(name)
        if path is None:
            raise Trouble("source-damaged", what=f"the stream {name} is missing")
        try:
            if self._ole.get_size(path) > MOST_STREAM:
                raise Trouble("source-damaged", what=f"the stream {name} claims an absurd size")
            with self._ole.openstream(path) as stream:
                return bytes(stream.read())
        except Trouble:
            raise
        except Exception as e:  # see __init__
            raise Trouble("source-damaged", what=f"the stream {name} does not read ({e})") from e

    def modified(self) -> str:
        """When the document says that it was last saved, `2003-04-03T10:00:00Z`; "" when it says nothing."""
        try:
            saved = self._ole.get_metadata().last_saved_time
        except Exception:  # a broken summary is no broken document
            return ""
        return saved.strftime("%Y-%m-%dT%H:%M:%SZ") if saved and 1980 <= saved.year <= 9999 else ""
