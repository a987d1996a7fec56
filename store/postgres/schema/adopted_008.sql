-- Message DB's sequence moves when the head does for good: at the end of the transaction. What a
-- sequence has been given stays, also where the transaction fails, and an import that is refused may
-- have brought any position. The lock on the table is held until then, so that Message DB's functions
-- ask the sequence afterwards.
DROP TRIGGER advance ON @.counters;
CREATE CONSTRAINT TRIGGER advance AFTER UPDATE OF head ON @.counters
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION @.advance();
