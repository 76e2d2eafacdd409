"""PDF to PDF/A in place: one function a clause family of ISO 19005-2, streams of content left alone.

`repair` mends a PDF and tells what it changed; `settle` fixes ids and dates of a PDF that another program made.
Neither judges its own work: veraPDF does, and the comparison of source and product. Runs inside a job only.
"""

from __future__ import annotations

from tasks.sealed.pdfa.passes import repair
from tasks.sealed.pdfa.settling import settle

LIBRARIES = ("pikepdf", "fonttools", "lxml", "numpy", "pillow")

__all__ = ["LIBRARIES", "repair", "settle"]
