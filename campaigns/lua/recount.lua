-- recount: makes the counters what the ledger says.
--
-- KEYS  campaign  progress  done  failed  again  unknown  running
-- ARGV  campaign_id  generation
-- ->    number of counters that had drifted
--include clock
--include finish
if redis.call('HGET', campaign, 'generation') ~= generation then
  return 0
end
local drifted = 0
for _, counter in ipairs({ { 'done', done }, { 'failed', failed }, { 'again', again } }) do
  local name, bitmap = unpack(counter)
  local bits = redis.call('BITCOUNT', bitmap)
  if bits ~= (tonumber(redis.call('HGET', progress, name)) or 0) then
    redis.call('HSET', progress, name, bits)
    drifted = drifted + 1
  end
end
complete_if_done(campaign, progress, unknown, running, campaign_id, now_ms())
return drifted
