-- replace_value: changes a value of a hash, unless it has changed or gone meanwhile.
--
-- KEYS  hash
-- ARGV  field  before  after
-- ->    1 if it was changed, else 0
if redis.call('HGET', hash, field) ~= before then
  return 0
end
redis.call('HSET', hash, field, after)
return 1
