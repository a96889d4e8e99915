-- defer: puts rows that were not admitted back on the waiting side; their retries stay as they are.
--
-- KEYS  1 campaign  2 runs  3 deferred
-- ARGV  1 generation  2 run id  3 "1" where other rows of the run were admitted  4... entries
-- ->    number of entries put back (0: the campaign is gone, cancelled, or has another list)
--
-- $deferred  list: retries|count|rows|recipients, each a run to be released again before anything new
local state = redis.call('HMGET', KEYS[1], 'status', 'generation')
if ARGV[3] ~= '1' then
  redis.call('HDEL', KEYS[2], ARGV[2])
end
if state[2] ~= ARGV[1] or (state[1] ~= 'running' and state[1] ~= 'paused') then
  return 0
end
for i = 4, #ARGV do
  redis.call('RPUSH', KEYS[3], ARGV[i])
end
return #ARGV - 3
