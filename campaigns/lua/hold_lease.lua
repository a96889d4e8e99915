-- hold_lease: takes a lease, or keeps it longer.
--
-- KEYS  lease
-- ARGV  holder  for_ms:int
-- ->    1 if the holder has it now, 0 if another one has
local found = redis.call('GET', lease)
if found and found ~= holder then
  return 0
end
redis.call('SET', lease, holder, 'PX', for_ms)
return 1
