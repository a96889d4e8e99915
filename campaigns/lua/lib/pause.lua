-- pause: pauses a running campaign for the system.
--
-- $campaign  hash: status, reason   $running  set of campaigns
--
-- pause_for(campaign, running, campaign_id, reason)
--include clock
--include history
local function pause_for(campaign, running, campaign_id, reason)
  redis.call('HSET', campaign, 'status', 'paused', 'reason', reason)
  note_step(campaign, now_ms(), 'system', 'paused', 'running', 'paused', reason)
  redis.call('SREM', running, campaign_id)
end
