-- decide_unknown: settles rows of which nobody knows whether they were sent, as somebody has decided.
--
-- KEYS  1 campaign  2 progress  3 unknown  4 done  5 failed  6 again  7 reasons  8 running
-- ARGV  1 campaign id  2 generation  3 done, failed or resend  4 only those unknown for so long (ms)  5 reason for the failed
--       6 most rows in this call
-- ->    number of rows decided, or -1 where the campaign's state does not allow it
--include clock
--include finish
--include enqueue
local state = redis.call('HMGET', KEYS[1], 'status', 'generation')
local decision, now = ARGV[3], now_ms()
if state[2] ~= ARGV[2] then
  return -1
end
if decision == 'resend' and state[1] ~= 'running' and state[1] ~= 'paused' and state[1] ~= 'completed' then
  return -1
end
local rows = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now - tonumber(ARGV[4]), 'LIMIT', 0, ARGV[6])
for _, row in ipairs(rows) do
  redis.call('ZREM', KEYS[3], row)
  if decision == 'done' then
    redis.call('SETBIT', KEYS[4], row, 1)
    redis.call('HDEL', KEYS[7], row)
  elseif decision == 'failed' then
    redis.call('SETBIT', KEYS[5], row, 1)
    redis.call('HSET', KEYS[7], row, ARGV[5])
  else
    -- its reason stays: what its last attempt left, and the mark that there was one
    redis.call('SETBIT', KEYS[6], row, 1)
  end
end
if #rows > 0 then
  redis.call('HINCRBY', KEYS[2], decision == 'resend' and 'again' or decision, #rows)
  if decision == 'resend' and state[1] == 'completed' then
    redis.call('HSET', KEYS[1], 'status', 'running')
    redis.call('HDEL', KEYS[1], 'finished_at')
    redis.call('SADD', KEYS[8], ARGV[1])
    wake('release')
  end
end
complete_if_done(KEYS[1], KEYS[2], KEYS[3], KEYS[8], ARGV[1], now)
return #rows
