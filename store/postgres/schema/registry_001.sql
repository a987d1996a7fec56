-- One row: the version of this schema, so that an older program leaves a newer store alone.
CREATE TABLE weir_registry.about (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    schema_version int4 NOT NULL
);
INSERT INTO weir_registry.about (schema_version) VALUES (1);

-- The namespaces of the store, each with a schema of its own. Ids compare by bytes (COLLATE "C"), on every server
-- alike, whatever the database's locale.
CREATE TABLE weir_registry.namespaces (
    id text COLLATE "C" PRIMARY KEY,
    -- Made from a digest of the id. Two ids can never share one: the second is refused.
    schema_name text COLLATE "C" NOT NULL UNIQUE,
    -- How the messages are kept ("rows", "hypertable", ...), and the version of the namespace's schema.
    layout text NOT NULL,
    schema_version int4 NOT NULL,
    token_hash bytea NOT NULL CHECK (octet_length(token_hash) = 32),
    description text,
    metadata text,
    created_at timestamptz NOT NULL
);

-- Message DB's schema belongs to one namespace at most.
CREATE UNIQUE INDEX one_message_db ON weir_registry.namespaces (layout) WHERE layout = 'message_db';
