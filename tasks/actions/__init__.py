"""Migration paths: one module, one path; the module's name is the action's name in a policy.

A module has `VERSION`, may have `FACTS` (names of the facts it reads), and
`migrate(source, job, /, *, …) -> Migration`, whose keyword parameters with their types and defaults are the schema of
a policy row's `parameters`. Nothing is registered anywhere. `migrate` runs in the flow's process and never looks at
the bytes itself: it sends a function of `tasks.sealed`, a program or a resident program into the job.
"""

from __future__ import annotations

from dataclasses import dataclass

from tasks.premis.model import Measure, Note, Product


@dataclass(frozen=True, slots=True)
class Migration:
    """What an action made: products in the job's `out/` folder, and what is worth telling about them.

    A master whose path is the source's says that the original is the master.
    """

    products: tuple[Product, ...]
    notes: tuple[Note, ...] = ()
    measures: tuple[Measure, ...] = ()
