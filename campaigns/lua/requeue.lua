-- requeue: puts rows back that were not admitted; their retries stay as they are.
--
-- KEYS  campaign  batches  requeued  held  progress
-- ARGV  list_version  batch_id  partly_admitted:flag  entries...  held_entries(domain entry)...
-- ->    number of entries put back (0: the campaign is gone, cancelled, or has another list)
--
-- partly_admitted: whether other rows of the batch were admitted; entries: as $requeued holds them
-- held_entries: of the rows whose domain is at its limit
--
-- $requeued  list: retries|recipient, to be dispatched again before anything new
-- $held    zset: domain by when it may have room again (ms); $held:<domain>  list: as requeued
--include under_way
local state = redis.call('HMGET', campaign, 'status', 'list_version')
if not partly_admitted then
  redis.call('HDEL', batches, batch_id)
end
if state[2] ~= list_version or not is_under_way(state[1]) then
  return 0
end
local count = #entries
for _, entry in ipairs(entries) do
  redis.call('RPUSH', requeued, entry)
end
for domain, entry in held_entries() do
  redis.call('ZADD', held, 'NX', 0, domain)
  redis.call('RPUSH', held .. ':' .. domain, entry)
  redis.call('HINCRBY', progress, 'held', 1)
  count = count + 1
end
redis.call('HINCRBY', progress, 'requeues', count)
return count
