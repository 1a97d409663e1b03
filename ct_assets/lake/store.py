"""The object store behind the lake: a folder or S3, by URL, through obstore."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import obstore
import pyarrow as pa
import pyarrow.parquet as pq
from obstore.exceptions import AlreadyExistsError
from obstore.store import LocalStore, ObjectStore, from_url

__all__ = ["Lake", "Object", "fingerprint", "to_parquet"]


@dataclass(frozen=True, slots=True)
class Object:
    """One stored object, as a listing shows it."""

    key: str
    size: int
    last_modified: datetime


class Lake:
    """Objects by key. Every write is whole or not at all; `create` never overwrites."""

    def __init__(self, url: str) -> None:
        """`url`: `file:///folder` (made if absent) or `s3://bucket/prefix`.

        S3 takes its endpoint and keys from the environment, as every AWS client does: `AWS_ACCESS_KEY_ID`,
        `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, and `AWS_ENDPOINT_URL` (with `AWS_ALLOW_HTTP=true` for http).
        """
        self.url = url
        self._store: ObjectStore
        # The path as it stands, not parsed as an address: a folder's name may hold '#', '?' and '%'.
        if url.startswith("file:///"):
            self._store = LocalStore(Path(url.removeprefix("file://")), mkdir=True)
        elif url.startswith("s3://"):
            self._store = from_url(url)
        else:
            raise ValueError(
                f"CT_LAKE_URL '{url}': a lake is file:///folder (a whole path) or s3://bucket/prefix"
            )

    @property
    def store(self) -> ObjectStore:
        """For readers that take an obstore store themselves."""
        return self._store

    def put(self, key: str, body: bytes) -> None:
        """Writes or replaces."""
        obstore.put(self._store, key, body)

    def create(self, key: str, body: bytes) -> bool:
        """Writes once: False, and nothing changed, where the key exists (so a retry cannot duplicate)."""
        try:
            obstore.put(self._store, key, body, mode="create")
        except AlreadyExistsError:
            return False
        return True

    def get(self, key: str) -> bytes | None:
        """The object, or None where there is none."""
        try:
            return bytes(obstore.get(self._store, key).bytes())
        except FileNotFoundError:
            return None

    def list(self, prefix: str) -> Iterator[Object]:
        """Every object under a folder-like `prefix`, in no order; none where there is no such prefix."""
        for batch in obstore.list(self._store, prefix=prefix):
            for meta in batch:
                yield Object(meta["path"], meta["size"], meta["last_modified"])

    def read_table(self, key: str, columns: Sequence[str] | None = None) -> pa.Table | None:
        """A Parquet object as it is, or None where there is none."""
        body = self.get(key)
        return None if body is None else pq.read_table(io.BytesIO(body), columns=columns and [*columns])

    def put_table(self, key: str, table: pa.Table) -> None:
        """Writes or replaces a table as Parquet."""
        self.put(key, to_parquet(table))


def to_parquet(table: pa.Table) -> bytes:
    """Parquet, zstd; the same table gives the same bytes."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def fingerprint(objects: Iterable[Object]) -> str:
    """Digest of what a listing held. Log objects are written once under names that carry their content's digest,
    so names and sizes say all; it stays the same when a lake is copied."""
    digest = hashlib.sha256()
    for item in sorted(objects, key=lambda o: o.key):
        digest.update(f"{item.key}\t{item.size}\n".encode())
    return digest.hexdigest()[:16]
