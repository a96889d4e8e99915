-- touch_run: notes when a run is next due, once its retry is safely on Dramatiq's queue.
--
-- KEYS  1 runs   ARGV  1 run id  2 delay (ms)  3 rows   -> nothing; a run that is nobody's any more stays so
--include clock
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then
  redis.call('HSET', KEYS[1], ARGV[1], 'r|' .. (now_ms() + tonumber(ARGV[2])) .. '|' .. ARGV[3])
end
