-- expire_claims: rows in flight whose worker is dead become unknown: nobody can say whether the provider took them. A row that has an
-- end already (a resent one whose first sender answered late) only loses its claim.
--
-- KEYS  1 campaign  2 progress  3 flight  4 unknown  5 running  6 workers  7 reasons  8 done  9 failed  10 ring
-- ARGV  1 campaign id  2 generation  3 silence after which a worker is dead (ms)  4 age at which any claim is given up (ms)
-- ->    { rows in flight that were looked at, rows that are unknown now }
--include clock
--include finish
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[2] then
  return { 0, 0 }
end
local now, looked, expired = now_ms(), 0, 0
-- right after Redis was away all heartbeats are old: see release
local may_be_dead = now >= (tonumber(redis.call('HGET', KEYS[10], 'away_until')) or 0)
local flight = redis.call('HGETALL', KEYS[3])
for i = 1, #flight, 2 do
  local worker, since = string.match(flight[i + 1], '^(.*)|(%d+)|')
  since = tonumber(since)
  -- a claim is a sign of life too: a worker that has just started makes its first one before its first tick
  local seen = math.max(since, tonumber(redis.call('ZSCORE', KEYS[6], worker) or 0))
  looked = looked + 1
  if (may_be_dead and now - seen > tonumber(ARGV[3])) or now - since > tonumber(ARGV[4]) then
    redis.call('HDEL', KEYS[3], flight[i])
    if redis.call('GETBIT', KEYS[8], flight[i]) == 0 and redis.call('GETBIT', KEYS[9], flight[i]) == 0 then
      redis.call('ZADD', KEYS[4], now, flight[i])
      redis.call('HSET', KEYS[7], flight[i], 'the worker died while sending; the provider may or may not have taken it')
      expired = expired + 1
    end
  end
end
complete_if_done(KEYS[1], KEYS[2], KEYS[4], KEYS[5], ARGV[1], now)
return { looked, expired }
