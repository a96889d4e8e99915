-- delete_campaign: removes a campaign with all its keys.
--
-- KEYS  campaign  flight  campaigns  parsing  parked  all_keys...
-- ARGV  campaign_id
-- ->    nil; { "missing" }; { state that does not allow it, rows in flight }
--include parked
local status = redis.call('HGET', campaign, 'status')
if not status then
  return { 'missing', 0 }
end
local in_flight = redis.call('HLEN', flight)
if status == 'running' or in_flight > 0 then
  return { status, in_flight }
end
redis.call('ZREM', campaigns, campaign_id)
redis.call('ZREM', parsing, campaign_id)
drop_parked(parked)
for _, key in ipairs(all_keys) do
  redis.call('DEL', key)
end
return nil
