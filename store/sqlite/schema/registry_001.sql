-- The namespaces of a store. Every authentication that is not cached looks an id up, and listings
-- are in the order of the id, so the id is the key of the b-tree itself. Text compares by bytes
-- (BINARY).
CREATE TABLE namespaces (
    id TEXT NOT NULL PRIMARY KEY,
    token_hash BLOB NOT NULL CHECK (length(token_hash) = 32),
    description TEXT,
    metadata TEXT,
    created_at_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Files of deleted namespaces. A deletion moves the namespace from the table above to this one in
-- one transaction and unlinks the files afterwards; files that a crash leaves behind are removed at
-- the next start.
CREATE TABLE doomed_files (
    name TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
