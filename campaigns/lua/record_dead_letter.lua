-- record_dead_letter: records the rows of a dead letter as failed, with the reason of their last attempt.
--
-- KEYS  campaign  progress  in_flight  done  failed  unknown  reasons  refeed  running  batches  throughput
-- ARGV  campaign_id  list_version  batch_id  reason  rows...
-- ->    { number of rows recorded, "1" where the campaign has just been completed }
--
-- reason: for rows that have none
--
-- Rows that are final, in flight, unknown, or on their way again are not the dead letter's to decide.
--include clock
--include finish
--include rows
--include throughput
if redis.call('HGET', campaign, 'list_version') ~= list_version then
  return { 0, '0' }
end
redis.call('HDEL', batches, batch_id)
local k = { done = done, failed = failed, refeed = refeed, in_flight = in_flight, unknown = unknown }
local count = 0
for _, row in ipairs(rows) do
  if is_free(k, row) then
    redis.call('SETBIT', failed, row, 1)
    redis.call('HSETNX', reasons, row, reason)
    count = count + 1
  end
end
redis.call('HINCRBY', progress, 'failed', count)
if count > 0 then
  plot_add(throughput, campaign, now_ms(), 0, count)
end
local completed = complete_if_done(campaign, progress, unknown, running, campaign_id, now_ms())
return { count, completed and '1' or '0' }
