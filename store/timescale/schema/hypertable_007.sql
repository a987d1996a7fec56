-- Whether a transaction is over, and not only visible. Of the chunk that it has made the others are
-- told after it has become visible, and before it lets its locks go. Who reads in that moment, by a
-- plan that was made before, does not look into the chunk, while the head says that its messages are
-- there; and would go on behind them. So who finds that the spans have changed waits until the
-- transaction that changed the counters last is over. It had the namespace's lock until then, so all
-- before it are over too.
CREATE FUNCTION @.is_over(p_changed xid) RETURNS bool LANGUAGE sql AS $$
    SELECT NOT EXISTS (SELECT FROM pg_locks AS l
                       WHERE l.locktype = 'transactionid' AND l.transactionid = p_changed)
$$;
