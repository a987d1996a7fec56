-- The namespaces of a store. Read by id at every authentication that is not cached, and in order of
-- the id by listing, so the id is the key of the b-tree itself. Text compares by bytes (BINARY).
CREATE TABLE namespaces (
    id TEXT NOT NULL PRIMARY KEY,
    token_hash BLOB NOT NULL CHECK (length(token_hash) = 32),
    description TEXT,
    metadata TEXT,
    created_at_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Files of deleted namespaces. A deletion moves the namespace from the table above to this one in
-- one transaction and unlinks the files afterwards; what a crash leaves behind goes at the next start.
CREATE TABLE doomed_files (
    name TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
