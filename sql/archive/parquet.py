"""Writes events as Parquet and reads them back, as the same CSV, byte for byte.

The CSV is that of PostgreSQL's COPY with all values quoted, which pyarrow writes alike. So one digest of it says that the file has
what the database had, whatever Parquet did with it; and COPY takes it as it is.
"""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import file_digest, sha256
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from pyarrow import csv
from pyarrow.parquet import ParquetFile, ParquetWriter

#: Bytes of CSV that become one row group, and rows that are read at once.
GROUP, READ = 32 << 20, 50_000
#: What types of PostgreSQL are in CSV, where not text.
_TYPES = {
    "bigint": pa.int64(),
    "integer": pa.int32(),
    "smallint": pa.int16(),
    "boolean": pa.bool_(),
    "timestamp with time zone": pa.timestamp("us"),
}
_UTC = pa.timestamp("us", "UTC")


class Written(NamedTuple):
    """What a file has: how many events, the digest of their CSV, that of the file, and the place of the last event (0, 0 where
    there are none)."""

    events: int
    digest: bytes
    checksum: bytes
    last_xid: int
    last_position: int


def write(rows: Iterable[bytes], columns: Mapping[str, str], file: Path) -> Written:
    """Write rows of CSV to a file; `columns` has their names and types, in order. Raises pyarrow.ArrowInvalid for rows that do
    not fit the types."""
    plain = pa.schema([(name, _TYPES.get(type, pa.string())) for name, type in columns.items()])
    stored = pa.schema([(field.name, _UTC if pa.types.is_timestamp(field.type) else field.type) for field in plain])
    digest, events, last = sha256(), 0, (0, 0)
    with ParquetWriter(file, stored, compression="zstd") as writer:
        for group in _groups(rows):
            digest.update(group)
            table = csv.read_csv(
                BytesIO(group),
                csv.ReadOptions(column_names=plain.names, block_size=len(group) + 1),
                csv.ParseOptions(newlines_in_values=True),
                csv.ConvertOptions(
                    column_types=plain, strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""]
                ),
            ).cast(stored)
            writer.write_table(table, row_group_size=len(table))
            events += len(table)
            last = table["xid"][-1].as_py(), table["position"][-1].as_py()
    return Written(events, digest.digest(), checksum_of(file), *last)


def columns_of(file: Path) -> list[str]:
    """Return the names of a file's columns, in order."""
    with ParquetFile(file) as opened:
        return list(opened.schema_arrow.names)


def read(file: Path) -> Iterator[bytes]:
    """Yield a file's rows as the CSV from which it was written, some at a time. Raises pyarrow.ArrowInvalid and OSError for a
    file that is damaged."""
    with ParquetFile(file) as opened:
        stored = opened.schema_arrow
        plain = pa.schema(
            [(field.name, pa.timestamp("us") if pa.types.is_timestamp(field.type) else field.type) for field in stored]
        )
        for batch in opened.iter_batches(READ):
            out = BytesIO()
            csv.write_csv(
                pa.Table.from_batches([batch]).cast(plain),
                out,
                csv.WriteOptions(include_header=False, quoting_style="all_valid"),
            )
            yield out.getvalue()


def checksum_of(file: Path) -> bytes:
    """Return the digest of a file as it is, which also covers what is not read here, such as statistics. Raises OSError."""
    with file.open("rb") as opened:
        return file_digest(opened, "sha256").digest()


def digest_of(file: Path) -> bytes:
    """Return the digest of a file's rows, as `write` does. Raises as `read` does."""
    digest = sha256()
    for rows in read(file):
        digest.update(rows)
    return digest.digest()


def _groups(rows: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the rows joined to pieces of about GROUP bytes."""
    group, size = [], 0
    for row in rows:
        group.append(row)
        size += len(row)
        if size >= GROUP:
            yield b"".join(group)
            group, size = [], 0
    if group:
        yield b"".join(group)
