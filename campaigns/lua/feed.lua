-- feed: takes a slice of the list onto the waiting side, in one step with the cursor. Its rows that yield no recipient any more fail.
--
-- KEYS  1 campaign  2 progress  3 waiting  4 done  5 failed  6 unknown  7 reasons  8 running
-- ARGV  1 campaign id  2 generation  3 slice number  4 last row of the slice  5 number of rows that fail  6... these rows, then
--       recipients
-- ->    { recipients waiting, their bytes, status }; { -1 } where this slice is not the next one, or the campaign is gone or over
--
-- $progress  hash: cursor: the next slice; fed_row: rows up to this one have been fed; waiting_bytes; feed_asked
-- $waiting   list: [row,"address",[values]]
--include clock
--include enqueue
--include finish
--include unfeedable
local state = redis.call('HMGET', KEYS[1], 'status', 'generation')
local cursor = tonumber(redis.call('HGET', KEYS[2], 'cursor')) or 0
if state[2] ~= ARGV[2] or cursor ~= tonumber(ARGV[3]) or (state[1] ~= 'running' and state[1] ~= 'paused') then
  return { -1 }
end
local first, bytes = 6 + ARGV[5], 0
for i = first, #ARGV, 100 do
  redis.call('RPUSH', KEYS[3], unpack(ARGV, i, math.min(i + 99, #ARGV)))
end
for i = first, #ARGV do
  bytes = bytes + #ARGV[i]
end
redis.call('HSET', KEYS[2], 'cursor', cursor + 1, 'fed_row', ARGV[4], 'feed_asked', now_ms())
local waiting = redis.call('LLEN', KEYS[3])
if state[1] == 'running' then
  redis.call('HDEL', KEYS[1], 'reason')
  if bytes > 0 and waiting == #ARGV - first + 1 then
    wake('release')
  end
end
local k = { campaign = KEYS[1], progress = KEYS[2], done = KEYS[4], failed = KEYS[5], unknown = KEYS[6], reasons = KEYS[7], running = KEYS[8] }
fail_unfeedable(k, ARGV[1], { unpack(ARGV, 6, first - 1) }, now_ms())
return { waiting, redis.call('HINCRBY', KEYS[2], 'waiting_bytes', bytes), state[1] }
