"""The run of this process; a module of its own, because a command must not load Prefect before its server is known.

Prefect reads its settings at its first import: without an address it starts another server, which nobody ends.
"""

from __future__ import annotations

import uuid


class Here:
    """The outermost run of this process, once it has begun: who started it ends it by that id."""

    id: uuid.UUID | None = None
