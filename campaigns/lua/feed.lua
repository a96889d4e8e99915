-- feed: takes a slice of the list onto the waiting side, in one step with the cursor. Its rows that yield no recipient
-- any more fail.
--
-- KEYS  campaign  progress  waiting  done  failed  unknown  reasons  running
-- ARGV  campaign_id  generation  slice:int  last_row:int  unfeedable...  recipients...
-- ->    { recipients waiting, their bytes, status }; { -1 } where this slice is not the next one, or the campaign is
--       gone or over
--
-- slice: its number; last_row: of the slice; unfeedable: rows that fail
--
-- $progress  hash: cursor: the next slice; fed_row: rows up to this one have been fed; waiting_bytes; feed_asked
-- $waiting   list: [row,"address",[values]]
--include clock
--include enqueue
--include under_way
--include unfeedable
local state = redis.call('HMGET', campaign, 'status', 'generation')
local cursor = tonumber(redis.call('HGET', progress, 'cursor')) or 0
if state[2] ~= generation or cursor ~= slice or not is_under_way(state[1]) then
  return { -1 }
end
local bytes = 0
for i = 1, #recipients, 100 do
  redis.call('RPUSH', waiting, unpack(recipients, i, math.min(i + 99, #recipients)))
end
for _, recipient in ipairs(recipients) do
  bytes = bytes + #recipient
end
redis.call('HSET', progress, 'cursor', cursor + 1, 'fed_row', last_row, 'feed_asked', now_ms())
local waits = redis.call('LLEN', waiting)
if state[1] == 'running' then
  redis.call('HDEL', campaign, 'reason')
  if bytes > 0 and waits == #recipients then
    wake('release')
  end
end
local k = { campaign = campaign, progress = progress, done = done, failed = failed, unknown = unknown,
  reasons = reasons, running = running }
fail_unfeedable(k, campaign_id, unfeedable, now_ms())
return { waits, redis.call('HINCRBY', progress, 'waiting_bytes', bytes), state[1] }
