-- defer: puts rows that were not admitted back on the waiting side; their retries stay as they are.
--
-- KEYS  campaign  runs  deferred  parked  progress
-- ARGV  generation  run_id  partly_admitted:flag  entries...  parked_entries(domain entry)...
-- ->    number of entries put back (0: the campaign is gone, cancelled, or has another list)
--
-- partly_admitted: whether other rows of the run were admitted; entries: as $deferred holds them
-- parked_entries: of the rows whose domain is at its limit
--
-- $deferred  list: retries|recipient, to be released again before anything new
-- $parked    zset: domain by when it may have room again (ms); $parked:<domain>  list: as deferred
--include under_way
local state = redis.call('HMGET', campaign, 'status', 'generation')
if not partly_admitted then
  redis.call('HDEL', runs, run_id)
end
if state[2] ~= generation or not is_under_way(state[1]) then
  return 0
end
local count = #entries
for _, entry in ipairs(entries) do
  redis.call('RPUSH', deferred, entry)
end
for domain, entry in parked_entries() do
  redis.call('ZADD', parked, 'NX', 0, domain)
  redis.call('RPUSH', parked .. ':' .. domain, entry)
  redis.call('HINCRBY', progress, 'parked', 1)
  count = count + 1
end
redis.call('HINCRBY', progress, 'deferrals', count)
return count
