from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.premis import columns
from tasks.premis.merge import merged, sorted_pieces
from tasks.premis.model import Event, object_id
from tests.tasks.premis.events import EVENTS, event

FEW = st.builds(replace, EVENTS, aip=st.sampled_from([uuid.UUID(int=n) for n in (0, 1, 2**128 - 1)]))
TABLES = st.lists(st.lists(FEW, max_size=9), max_size=7)


def in_order(tables: list[list[Event]], size: int, block: int) -> list[pa.Table]:
    with tempfile.TemporaryFile() as file:
        pieces = sorted_pieces(map(columns.table, tables), size, file, block=block)
        return list(merged(pieces, columns.SCHEMA, size))


def place(one: Event) -> tuple:
    """By AIP, object and time; what is about no file comes last in its AIP."""
    about = one.source and object_id(one.aip, one.source.path, one.source.sha256).bytes
    return (one.aip.bytes, about is None, about or b"", one.time, one.seq, one.id.bytes)


@given(TABLES, st.integers(1, 12), st.integers(1, 4), st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_every_row_is_merged_once_in_the_same_order_however_the_tables_come(tables, size, block, chance):
    groups = in_order(tables, size, block)
    found = [one for rows in groups for one in columns.events(rows)]
    everything = [one for some in tables for one in some]
    assert [one.id for one in found] == [one.id for one in sorted(everything, key=place)]
    assert sorted(found, key=place) == sorted(everything, key=place)
    assert [rows.num_rows for rows in groups[:-1]] == [size] * (len(groups) - 1)
    chance.shuffle(tables)
    assert [one.id for rows in in_order(tables, size, block) for one in columns.events(rows)] == [
        one.id for one in found
    ]


def test_ten_times_the_rows_are_merged_in_less_than_twice_the_memory(tmp_path):
    plain = columns.table([event(n, f"originals/{n}", detail={"what": "x" * 500}) for n in range(1000)])

    def tables(count: int) -> Iterator[pa.Table]:
        for _ in range(count):
            fresh = pa.array([uuid.uuid4().bytes for _ in range(1000)], pa.binary(16)).cast(pa.uuid())
            yield plain.set_column(plain.schema.get_field_index("object_id"), "object_id", fresh)

    def most(count: int) -> int:
        with tempfile.TemporaryFile(dir=tmp_path) as file:
            pieces = sorted_pieces(tables(count), 1000, file, block=10)
            rows = merged(pieces, columns.SCHEMA, 1000)
            return max(pa.total_allocated_bytes() for _ in rows)

    assert most(10) < 2 * most(1)
