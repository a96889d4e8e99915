-- recount: sets the counters to the values that the ledger's bitmaps give.
--
-- KEYS  campaign  progress  done  failed  refeed  unknown  running
-- ARGV  campaign_id  list_version
-- ->    number of counters that had drifted
--include clock
--include finish
if redis.call('HGET', campaign, 'list_version') ~= list_version then
  return 0
end
local drifted = 0
for _, counter in ipairs({ { 'done', done }, { 'failed', failed }, { 'refeed', refeed } }) do
  local name, bitmap = unpack(counter)
  local bits = redis.call('BITCOUNT', bitmap)
  if bits ~= (tonumber(redis.call('HGET', progress, name)) or 0) then
    redis.call('HSET', progress, name, bits)
    drifted = drifted + 1
  end
end
complete_if_done(campaign, progress, unknown, running, campaign_id, now_ms())
return drifted
