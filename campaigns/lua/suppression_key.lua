-- suppression_key: the random key of the address hashes, which never changes.
--
-- KEYS  suppressions
-- ARGV  offered?  seq:int
-- ->    the key; false if there is none and none is offered
--
-- offered: becomes the key if there is none; seq: that of the last record in the object store, 0 for none. Where
-- there are records, Redis has lost the list, and it has to be restored
if offered and redis.call('HSETNX', suppressions, 'hash_key', offered) == 1 then
  if seq > 0 then
    redis.call('HSET', suppressions, 'seq', seq, 'restoring', 1)
  end
end
return redis.call('HGET', suppressions, 'hash_key')
