-- expire_claims: rows in flight that no worker will settle become unknown (see lib/claims).
--
-- KEYS  campaign  progress  in_flight  unknown  running  workers  reasons  done  failed  dispatcher
-- ARGV  campaign_id  list_version  lost_ms:int
-- ->    { rows in flight that were looked at, rows that are unknown now }
--
-- lost_ms: the age at which any claim expires
--include clock
--include claims
if redis.call('HGET', campaign, 'list_version') ~= list_version then
  return { 0, 0 }
end
local k = { campaign = campaign, progress = progress, in_flight = in_flight, unknown = unknown, running = running,
  workers = workers, reasons = reasons, done = done, failed = failed, dispatcher = dispatcher }
return { expire_claims(k, campaign_id, lost_ms, now_ms()) }
