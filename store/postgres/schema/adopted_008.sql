-- Message DB's sequence moves at the end of the transaction, when the head has moved for good. A sequence keeps a
-- value even if the transaction fails, and an import that is refused may have brought any position. Message DB's
-- functions ask the sequence only afterwards, because the lock on the table is held until then.
DROP TRIGGER advance ON @.counters;
CREATE CONSTRAINT TRIGGER advance AFTER UPDATE OF head ON @.counters
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION @.advance();
