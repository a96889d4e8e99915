-- expire_claims: rows in flight that no worker will settle become unknown (see lib/claims).
--
-- KEYS  campaign  progress  flight  unknown  running  workers  reasons  done  failed  ring
-- ARGV  campaign_id  generation  lost_ms:int
-- ->    { rows in flight that were looked at, rows that are unknown now }
--
-- lost_ms: the age at which any claim is given up
--include clock
--include claims
if redis.call('HGET', campaign, 'generation') ~= generation then
  return { 0, 0 }
end
local k = { campaign = campaign, progress = progress, flight = flight, unknown = unknown, running = running,
  workers = workers, reasons = reasons, done = done, failed = failed, ring = ring }
return { expire_claims(k, campaign_id, lost_ms, now_ms()) }
