"""The parts of `pikepdf.pdfa` that the repair builds on although they have no public name.

Gathered here so that an upgrade of pikepdf has one place to look at; requirements.lock pins the release they come
from. The strict XMP reader and its canonical writer are worth the risk: they write only what PDF/A permits.
"""

from __future__ import annotations

from pikepdf.pdfa._declare import _DOCINFO_XMP, _xmp_value_from_docinfo, sync_docinfo_from_xmp
from pikepdf.pdfa._encodings import MAC_ROMAN, STANDARD, WIN_ANSI, encoding_table
from pikepdf.pdfa._fontprogram import Type1Program
from pikepdf.pdfa._output_intent import load_srgb
from pikepdf.pdfa._xmp_rdf import Reading, Value, read_packet, write_packet

INFO_TO_XMP = _DOCINFO_XMP
xmp_value_from_info = _xmp_value_from_docinfo

__all__ = [
    "INFO_TO_XMP",
    "MAC_ROMAN",
    "STANDARD",
    "WIN_ANSI",
    "Reading",
    "Type1Program",
    "Value",
    "encoding_table",
    "load_srgb",
    "read_packet",
    "sync_docinfo_from_xmp",
    "write_packet",
    "xmp_value_from_info",
]
