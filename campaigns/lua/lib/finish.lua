-- finish: a campaign is completed when nothing but unknown rows is pending (and none of those waits to be sent again).
--
-- complete_if_done(campaign, progress, unknown, running, campaign_id, now) -> whether it has just been completed
--include history
--include under_way
--include canary
--include pause
local function complete_if_done(campaign, progress, unknown, running, campaign_id, now)
  local state = redis.call('HMGET', campaign, 'status', 'on_unknown', 'pause_after', 'canary_over')
  if not is_under_way(state[1]) then
    return false
  end
  local counts = redis.call('HMGET', progress, 'total', 'done', 'failed')
  local unknown_rows = redis.call('ZCARD', unknown)
  local final = (tonumber(counts[2]) or 0) + (tonumber(counts[3]) or 0)
  if final + unknown_rows < (tonumber(counts[1]) or 0) then
    local done, failed = tonumber(counts[2]) or 0, tonumber(counts[3]) or 0
    if state[1] == 'running' and canary_is_met(state[3], state[4], done, failed, unknown_rows) then
      redis.call('HSET', campaign, 'canary_over', '1')
      pause_for(campaign, running, campaign_id, 'canary')
    end
    return false
  end
  if unknown_rows > 0 and state[2] == 'resend' then
    return false
  end
  redis.call('HSET', campaign, 'status', 'completed', 'finished_at', now)
  note_step(campaign, now, 'system', 'completed', state[1], 'completed')
  redis.call('HDEL', campaign, 'reason', 'braked', 'braked_for')
  redis.call('SREM', running, campaign_id)
  return true
end
