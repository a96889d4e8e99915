-- halt: pauses a running campaign for the system, with a reason. A campaign that is paused already without a reason
-- gets this one.
--
-- KEYS  campaign  running
-- ARGV  campaign_id  list_version  reason
-- ->    1 where it has been paused. One whose hash cannot be read leaves $running all the same
--include pause
local state = redis.pcall('HMGET', campaign, 'status', 'list_version', 'reason')
if state.err then
  return redis.call('SREM', running, campaign_id)
end
if state[2] ~= list_version then
  return 0
end
if state[1] == 'paused' and not state[3] then
  redis.call('HSET', campaign, 'reason', reason)
end
if state[1] ~= 'running' then
  return 0
end
pause_for(campaign, running, campaign_id, reason)
return 1
