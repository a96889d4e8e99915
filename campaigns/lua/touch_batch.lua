-- touch_batch: records when a batch is due again, after its retry is on Dramatiq's queue.
--
-- KEYS  batches
-- ARGV  batch_id  delay_ms:int  rows
-- ->    nothing; a batch that has been closed stays closed
--
-- rows: "12,13"
--include clock
if redis.call('HEXISTS', batches, batch_id) == 1 then
  redis.call('HSET', batches, batch_id, 'r|' .. (now_ms() + delay_ms) .. '|' .. rows)
end
