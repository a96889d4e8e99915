-- suppressions_restoring: marks the begin or the end of a restoration of the suppression list.
--
-- KEYS  suppressions
-- ARGV  seq:int  finished:flag
-- ->    1
--
-- seq: of the last record in the object store; records from now on get higher ones
if finished then
  redis.call('HDEL', suppressions, 'restoring')
  return 1
end
redis.call('HSET', suppressions, 'restoring', 1)
if (tonumber(redis.call('HGET', suppressions, 'seq')) or 0) < seq then
  redis.call('HSET', suppressions, 'seq', seq)
end
return 1
