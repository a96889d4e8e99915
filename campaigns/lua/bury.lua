-- bury: records the rows of a dead letter as failed, with the reason of their last attempt.
--
-- KEYS  1 campaign  2 progress  3 flight  4 done  5 failed  6 unknown  7 reasons  8 again  9 running  10 runs
-- ARGV  1 campaign id  2 generation  3 run id  4 reason where none is known  5... rows
-- ->    { number of rows recorded, "1" where the campaign has just been completed }
--
-- Rows that are final, in flight, unknown, or on their way again are not the dead letter's to decide.
--include clock
--include finish
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[2] then
  return { 0, '0' }
end
redis.call('HDEL', KEYS[10], ARGV[3])
local count = 0
for i = 5, #ARGV do
  local row = ARGV[i]
  if redis.call('GETBIT', KEYS[4], row) == 0 and redis.call('GETBIT', KEYS[5], row) == 0
      and redis.call('GETBIT', KEYS[8], row) == 0 and redis.call('HEXISTS', KEYS[3], row) == 0
      and not redis.call('ZSCORE', KEYS[6], row) then
    redis.call('SETBIT', KEYS[5], row, 1)
    redis.call('HSETNX', KEYS[7], row, ARGV[4])
    count = count + 1
  end
end
redis.call('HINCRBY', KEYS[2], 'failed', count)
local completed = complete_if_done(KEYS[1], KEYS[2], KEYS[6], KEYS[9], ARGV[1], now_ms())
return { count, completed and '1' or '0' }
