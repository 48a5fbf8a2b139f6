"""The tables of a library, as the steps that lead to them from an empty database.

A step that has been released is never changed: the next one changes its tables. The
number of steps that a library has gone stands in its `user_version`.
"""

_FIRST = """
CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- Paths are bytes, relative to the folder of the photographs: they need not be UTF-8.
CREATE TABLE photographs (
    id INTEGER PRIMARY KEY,
    path BLOB NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    width INTEGER NOT NULL DEFAULT 0,
    height INTEGER NOT NULL DEFAULT 0,
    caption TEXT NOT NULL DEFAULT '',
    caption_by TEXT NOT NULL DEFAULT '' CHECK (caption_by IN ('', 'machine', 'person')),
    encoded_by TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT '',
    missing INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE words (
    id INTEGER PRIMARY KEY,
    word TEXT NOT NULL UNIQUE
);

CREATE TABLE judgments (
    photograph INTEGER NOT NULL REFERENCES photographs (id),
    word INTEGER NOT NULL REFERENCES words (id),
    accepted INTEGER NOT NULL CHECK (accepted IN (0, 1)),
    PRIMARY KEY (photograph, word)
) WITHOUT ROWID;
CREATE INDEX judgments_by_word ON judgments (word, photograph);

-- What a person did, and never a line less: undoing is another event.
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time TEXT NOT NULL,
    action TEXT NOT NULL,
    undoes INTEGER UNIQUE REFERENCES events (id)
);

-- `word` is null where the caption changed. `before` and `after` are JSON.
CREATE TABLE changes (
    event INTEGER NOT NULL REFERENCES events (id),
    photograph INTEGER NOT NULL REFERENCES photographs (id),
    word INTEGER REFERENCES words (id),
    before TEXT NOT NULL,
    after TEXT NOT NULL
);
CREATE INDEX changes_by_event ON changes (event);

CREATE VIRTUAL TABLE texts USING fts5 (
    caption, words, path, tokenize = 'unicode61 remove_diacritics 2'
);
"""

MIGRATIONS = (_FIRST,)
