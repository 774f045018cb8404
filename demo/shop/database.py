"""The SQLite file: its tables, how it is made, and how a connection is had."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from . import seed

SCHEMA = """
CREATE TABLE accounts (
    name TEXT PRIMARY KEY,
    password BLOB NOT NULL,
    staff INTEGER NOT NULL
);
CREATE TABLE items (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    description TEXT,
    price INTEGER NOT NULL CHECK (price >= 0),
    stock INTEGER NOT NULL CHECK (stock >= 0)
);
CREATE TABLE tags (
    item_id INTEGER NOT NULL REFERENCES items ON DELETE CASCADE,
    tag TEXT NOT NULL,
    PRIMARY KEY (item_id, tag)
);
CREATE TABLE pictures (
    item_id INTEGER PRIMARY KEY REFERENCES items ON DELETE CASCADE,
    filename TEXT NOT NULL,
    media_type TEXT NOT NULL,
    caption TEXT NOT NULL,
    content BLOB NOT NULL
);
CREATE TABLE orders (
    customer TEXT NOT NULL REFERENCES accounts,
    number INTEGER NOT NULL,
    total INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (customer, number)
);
CREATE TABLE order_lines (
    customer TEXT NOT NULL,
    number INTEGER NOT NULL,
    item_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    price INTEGER NOT NULL,
    quantity INTEGER NOT NULL,
    PRIMARY KEY (customer, number, item_id),
    FOREIGN KEY (customer, number) REFERENCES orders ON DELETE CASCADE
);
CREATE TABLE outbox (
    customer TEXT NOT NULL REFERENCES accounts,
    number INTEGER NOT NULL,
    state TEXT NOT NULL,
    subject TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (customer, number)
);
CREATE TABLE reviews (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    item_id INTEGER NOT NULL REFERENCES items ON DELETE CASCADE,
    author TEXT NOT NULL,
    stars INTEGER NOT NULL CHECK (stars BETWEEN 1 AND 5),
    text TEXT NOT NULL,
    UNIQUE (item_id, author)
);
CREATE TABLE addresses (
    customer TEXT PRIMARY KEY REFERENCES accounts,
    street TEXT NOT NULL,
    city TEXT NOT NULL,
    country TEXT NOT NULL,
    note TEXT
);
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    message TEXT NOT NULL
);
"""
SCHEMA_VERSION = 2


class Database:
    def __init__(self, path: str) -> None:
        self._path = path

    @contextmanager
    def connect(self) -> Iterator[sqlite3.Connection]:
        """A connection for one piece of work: committed when it ends well, rolled back when it raises."""
        # A request's dependency and its route may run in two threads of the pool, though never at the same time.
        connection = sqlite3.connect(self._path, timeout=10, check_same_thread=False)
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA foreign_keys = ON")
            with connection:
                yield connection
        finally:
            connection.close()

    def prepare(self) -> None:
        """Make and fill the file if it is missing or empty. Several worker processes may do this at once."""
        with self.connect() as connection:
            connection.execute("BEGIN IMMEDIATE")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == SCHEMA_VERSION:
                return
            if version:
                raise RuntimeError(f"{self._path} holds a shop of version {version}, this is version {SCHEMA_VERSION}")
            # One by one, since executescript() would commit first and let another worker in.
            for statement in SCHEMA.split(";"):
                connection.execute(statement)
            seed.fill(connection)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
