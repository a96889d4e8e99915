-- defer: puts rows that were not admitted back on the waiting side; their retries stay as they are.
--
-- KEYS  1 campaign  2 runs  3 deferred  4 parked  5 progress
-- ARGV  1 generation  2 run id  3 "1" where other rows of the run were admitted  4 number of entries, then these,
--       then domain, entry in turn for the rows whose domain is at its limit
-- ->    number of entries put back (0: the campaign is gone, cancelled, or has another list)
--
-- $deferred  list: retries|recipient, to be released again before anything new
-- $parked    zset: domain by when it may have room again (ms); $parked:<domain>  list: as deferred
local state = redis.call('HMGET', KEYS[1], 'status', 'generation')
if ARGV[3] ~= '1' then
  redis.call('HDEL', KEYS[2], ARGV[2])
end
if state[2] ~= ARGV[1] or (state[1] ~= 'running' and state[1] ~= 'paused') then
  return 0
end
local count = tonumber(ARGV[4])
for i = 5, 4 + count do
  redis.call('RPUSH', KEYS[3], ARGV[i])
end
for i = 5 + count, #ARGV, 2 do
  redis.call('ZADD', KEYS[4], 'NX', 0, ARGV[i])
  redis.call('RPUSH', KEYS[4] .. ':' .. ARGV[i], ARGV[i + 1])
  redis.call('HINCRBY', KEYS[5], 'parked', 1)
  count = count + 1
end
redis.call('HINCRBY', KEYS[5], 'deferrals', count)
return count
