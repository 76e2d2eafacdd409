"""One answer out of two, and whether the two agree."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.premis.model import Basis, Identification
from tasks.pronom.fido import FidoAnswer
from tasks.pronom.heads import by_head

_READ_THE_BYTES = frozenset({Basis.CONTAINER, Basis.SIGNATURE})


@dataclass(frozen=True, slots=True)
class Choice:
    """The identification that counts, whether both engines say it, and what each said."""

    identification: Identification
    agreement: bool
    siegfried: Identification
    fido: FidoAnswer


def choose(siegfried: Identification, fido: FidoAnswer) -> Choice:
    """Siegfried decides: its PRONOM release is newer and it reads containers whole. FIDO is kept beside it as data.

    A file that neither knows by its bytes, or only as a ZIP, is taken for what its beginning says, with a warning.
    """
    return Choice(by_head(siegfried, fido) or siegfried, _agree(siegfried, fido), siegfried, fido)


def _agree(siegfried: Identification, fido: FidoAnswer) -> bool:
    """Both name the same format, or neither any.

    FIDO's guess from the extension confirms nothing that was read in the bytes; it may confirm text or an extension,
    for FIDO knows no text.
    """
    if fido.basis is Basis.ERROR or siegfried.basis is Basis.ERROR:
        return False
    weighty = fido.basis in _READ_THE_BYTES or siegfried.basis not in _READ_THE_BYTES | {Basis.NOTHING}
    said = fido.puids if weighty else ()
    return siegfried.puid in said if siegfried.puid else not said
