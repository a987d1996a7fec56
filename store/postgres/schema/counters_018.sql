-- An update of the counters is allowed in a table that a publication publishes (FOR ALL TABLES, as is usual for an
-- upgrade by logical replication), although the table has no primary key. A key would be one more index, in which each
-- update that leaves the page looks at all versions of the row that an open snapshot keeps.
ALTER TABLE @.counters REPLICA IDENTITY FULL;
