-- recount: makes the counters what the ledger says.
--
-- KEYS  1 campaign  2 progress  3 done  4 failed  5 again  6 unknown  7 running
-- ARGV  1 campaign id  2 generation   -> number of counters that had drifted
--include clock
--include finish
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[2] then
  return 0
end
local drifted = 0
for i, name in ipairs({ 'done', 'failed', 'again' }) do
  local bits = redis.call('BITCOUNT', KEYS[2 + i])
  if bits ~= (tonumber(redis.call('HGET', KEYS[2], name)) or 0) then
    redis.call('HSET', KEYS[2], name, bits)
    drifted = drifted + 1
  end
end
complete_if_done(KEYS[1], KEYS[2], KEYS[6], KEYS[7], ARGV[1], now_ms())
return drifted
