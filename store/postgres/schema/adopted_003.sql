-- Message DB's sequence moves whenever the head does.
CREATE TRIGGER advance AFTER UPDATE OF head ON @.counters
    FOR EACH ROW EXECUTE FUNCTION @.advance();
