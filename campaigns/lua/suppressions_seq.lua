-- suppressions_seq: how far the records of the suppression list are numbered.
--
-- KEYS  suppressions
-- ->    { seq of the last record, 1 if a restoration has begun and not finished, else 0 }
local found = redis.call('HMGET', suppressions, 'seq', 'restoring')
return { tonumber(found[1]) or 0, found[2] and 1 or 0 }
