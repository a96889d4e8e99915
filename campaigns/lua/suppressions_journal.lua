-- suppressions_journal: records of the suppression list that are not in the object store yet, the oldest first.
--
-- KEYS  suppressions_journal
-- ARGV  most:int
-- ->    at most so many records, see suppress_address
return redis.call('LRANGE', suppressions_journal, 0, most - 1)
