-- delete_campaign: removes a campaign with all its keys.
--
-- KEYS  campaign  in_flight  campaigns  parsing  schedule  held  installation  link_marks  all_keys...
-- ARGV  campaign_id  by  event  reason  finished_before:int
-- ->    nil; { "missing" }; { state that does not allow it, rows in flight }
--
-- installation: the history of the installation; by: who removes it; event: "campaign_deleted" or why else; reason: ""
-- for none; finished_before: only where it ended before (ms), 0 for in any state
--include clock
--include held
--include history
local status = redis.call('HGET', campaign, 'status')
if not status then
  return { 'missing', 0 }
end
local count = redis.call('HLEN', in_flight)
if status == 'running' or count > 0 then
  return { status, count }
end
if finished_before > 0 and (status ~= 'completed' and status ~= 'cancelled'
    or (tonumber(redis.call('HGET', campaign, 'finished_at')) or math.huge) >= finished_before) then
  return { status, 0 }
end
redis.call('ZREM', campaigns, campaign_id)
redis.call('ZREM', parsing, campaign_id)
redis.call('ZREM', schedule, campaign_id)
drop_held(held)
local mark = redis.call('HGET', campaign, 'link_mark')
if mark then
  redis.call('HDEL', link_marks, mark)
end
for _, key in ipairs(all_keys) do
  redis.call('DEL', key)
end
note_in(installation, now_ms(), by, event, { campaign = campaign_id }, reason)
return nil
