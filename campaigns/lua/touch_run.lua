-- touch_run: notes when a run is next due, once its retry is safely on Dramatiq's queue.
--
-- KEYS  runs
-- ARGV  run_id  delay_ms:int  rows
-- ->    nothing; a run that has been closed stays closed
--
-- rows: "12,13"
--include clock
if redis.call('HEXISTS', runs, run_id) == 1 then
  redis.call('HSET', runs, run_id, 'r|' .. (now_ms() + delay_ms) .. '|' .. rows)
end
