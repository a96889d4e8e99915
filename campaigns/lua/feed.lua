-- feed: takes a slice of the list onto the waiting side, in one step with the cursor.
--
-- KEYS  1 campaign  2 progress  3 waiting
-- ARGV  1 generation  2 slice number  3 last row of the slice  4... recipients
-- ->    { recipients waiting, their bytes, status }; { -1 } where this slice is not the next one, or the campaign is gone or over
--
-- $progress  hash: cursor: the next slice; fed_row: rows up to this one have been fed; waiting_bytes; feed_asked
-- $waiting   list: [row,"address",[values]]
--include clock
--include enqueue
local state = redis.call('HMGET', KEYS[1], 'status', 'generation')
local cursor = tonumber(redis.call('HGET', KEYS[2], 'cursor')) or 0
if state[2] ~= ARGV[1] or cursor ~= tonumber(ARGV[2]) or (state[1] ~= 'running' and state[1] ~= 'paused') then
  return { -1 }
end
local bytes = 0
for i = 4, #ARGV, 100 do
  redis.call('RPUSH', KEYS[3], unpack(ARGV, i, math.min(i + 99, #ARGV)))
end
for i = 4, #ARGV do
  bytes = bytes + #ARGV[i]
end
redis.call('HSET', KEYS[2], 'cursor', cursor + 1, 'fed_row', ARGV[3], 'feed_asked', now_ms())
local waiting = redis.call('LLEN', KEYS[3])
if state[1] == 'running' then
  redis.call('HDEL', KEYS[1], 'reason')
  if bytes > 0 and waiting == #ARGV - 3 then
    wake('release')
  end
end
return { waiting, redis.call('HINCRBY', KEYS[2], 'waiting_bytes', bytes), state[1] }
