"""The text of Rich Text Format: a tokenizer of the standard library alone, for RTF 1.0 to 1.9 with their code pages."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from tasks.premis.model import Trouble
from tasks.sealed.office import SourceText

_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|([^\\{}\r\n]+)|[\r\n]+"
)
_SKIPPED = {
    "fonttbl", "colortbl", "stylesheet", "info", "pict", "objdata", "fldinst", "nonshppict", "listtext", "pntext",
    "themedata", "datastore", "listtable", "list", "listlevel", "listoverridetable", "revtbl", "rsidtbl", "generator",
    "xmlnstbl", "filetbl", "bkmkstart", "bkmkend", "datafield", "latentstyles", "colorschememapping", "pnseclvl",
    "pgptbl", "sp", "objclass", "objname", "fontemb", "falt", "panose", "template", "tc", "xe", "txe", "rxe",
    "userprops", "private", "docvar", "mmathPr", "wgrffmtfilter",
}  # fmt: skip
_NOTES = {"annotation", "atnauthor", "atnid", "atntime", "atnref", "atndate"}
_BREAKS = {"par", "line", "page", "sect", "column", "cell", "row", "nestcell", "nestrow", "softline", "softpage"}
_LETTERS = {
    "tab": "\t", "emdash": "—", "endash": "–", "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”",
    "bullet": "•", "emspace": " ", "enspace": " ", "qmspace": " ",
}  # fmt: skip
_CODE_PAGES = {"ansi": "cp1252", "mac": "mac_roman", "pc": "cp437", "pca": "cp850"}
_CHARSETS = {
    0: "cp1252", 77: "mac_roman", 128: "cp932", 129: "cp949", 134: "gbk", 136: "big5", 161: "cp1253", 162: "cp1254",
    163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250",
    255: "cp437",
}  # fmt: skip
_MOST_DEPTH = 2_000


@dataclass(frozen=True, slots=True)
class _Group:
    """The state that a group inherits and gives up at its end."""

    skipped: bool = False
    mode: str = "shown"
    code_page: str | None = None
    fallback: int = 1
    in_fonts: bool = False
    note: bool = False


def read(data: bytes) -> SourceText:
    """The text of an RTF document. Raises Trouble `source-damaged` when it is none."""
    if not data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{\\rtf"):
        raise Trouble("source-damaged", what="the file does not begin with {\\rtf")
    reader = _Reader()
    at = 0
    while match := _TOKEN.match(data, at):
        at = match.end() + reader.take(match)
    reader.flush()
    return reader.text


class _Reader:
    """Takes one token after the other; bytes of a code page gather until a letter of another kind comes."""

    def __init__(self) -> None:
        self.text = SourceText("document")
        self._code_page = "cp1252"
        self._fonts: dict[int, str] = {}
        self._font = 0
        self._group = _Group()
        self._stack: list[_Group] = []
        self._bytes = bytearray()
        self._line: list[tuple[str, str]] = []
        self._to_skip = 0
        self._starred = False

    def take(self, match: re.Match[bytes]) -> int:
        """Take one token; returns how many bytes after it are binary data to be passed over."""
        word, number, code, symbol, brace, plain = match.groups()
        if brace:
            self._brace(brace)
        elif word:
            return self._word(word.decode("ascii"), int(number) if number is not None else None)
        elif code:
            self._raw(bytes([int(code, 16)]))
        elif symbol:
            self._symbol(symbol)
        elif plain:
            self._raw(plain)
        return 0

    def _brace(self, brace: bytes) -> None:
        self._settle()
        self._starred = False
        self._to_skip = 0
        if brace == b"{":
            if len(self._stack) >= _MOST_DEPTH:
                raise Trouble("source-damaged", what=f"more than {_MOST_DEPTH} groups inside each other")
            self._stack.append(self._group)
        elif self._stack:
            self._group = self._stack.pop()

    def _word(self, word: str, number: int | None) -> int:
        starred, self._starred = self._starred, False
        if word == "bin":
            return max(0, number or 0)
        if word == "u" and number is not None:
            self._settle()
            self._letters(chr(number & 0xFFFF))
            self._to_skip = self._group.fallback
        elif word in _BREAKS:
            self.flush()
        elif word in _LETTERS:
            self._settle()
            self._letters(_LETTERS[word])
        elif word in _SKIPPED or (starred and word not in ("shpinst", "shptxt", "annotation", "footnote")):
            self._group = replace(self._group, skipped=True, in_fonts=word == "fonttbl")
        else:
            self._state(word, number)
        return 0

    def _state(self, word: str, number: int | None) -> None:
        if word in ("v", "deleted", "plain"):
            self._settle()
            mode = "shown" if number == 0 or word == "plain" else "hidden" if word == "v" else "deleted"
            self._group = replace(self._group, mode=mode)
        if word in ("f", "plain"):
            self._settle()
            self._font = number or 0
            self._group = replace(self._group, code_page=self._fonts.get(self._font) if word == "f" else None)
        elif word == "fcharset" and self._group.in_fonts:
            self._fonts[self._font] = _CHARSETS.get(number or 0, self._code_page)
        elif word == "uc" and number is not None:
            self._group = replace(self._group, fallback=number)
        elif word in _CODE_PAGES:
            self._code_page = _CODE_PAGES[word]
        elif word == "ansicpg" and number:
            self._code_page = {65001: "utf-8", 10000: "mac_roman", 708: "cp1256", 936: "gbk"}.get(number, f"cp{number}")
        elif word in _NOTES:
            self._group = replace(self._group, note=True, skipped=word != "annotation")

    def _symbol(self, symbol: bytes) -> None:
        if symbol == b"*":
            self._starred = True
        elif symbol in b"\\{}":
            self._raw(symbol)
        elif symbol in b"\r\n":
            self.flush()
        else:
            self._settle()
            self._letters({b"~": "\xa0", b"_": "-", b"-": ""}.get(symbol, ""))

    def _raw(self, data: bytes) -> None:
        if self._to_skip:
            passed = min(self._to_skip, len(data))
            self._to_skip -= passed
            data = data[passed:]
        if not self._group.skipped:
            self._bytes += data

    def _settle(self) -> None:
        if self._bytes:
            page = self._group.code_page or self._code_page
            try:
                letters = bytes(self._bytes).decode(page, "replace")
            except LookupError:
                letters = bytes(self._bytes).decode("cp1252", "replace")
            self._bytes.clear()
            self._letters(letters)

    def _letters(self, letters: str) -> None:
        if not self._group.skipped:
            self._line.append(("notes" if self._group.note else self._group.mode, letters))

    def flush(self) -> None:
        """End a paragraph."""
        self._settle()
        for mode in ("shown", "hidden", "deleted", "notes"):
            letters = "".join(t for m, t in self._line if m == mode).strip()
            if letters:
                getattr(self.text, mode).append(letters.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
        self._line.clear()
