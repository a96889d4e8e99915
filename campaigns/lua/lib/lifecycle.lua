-- lifecycle: what a campaign's state allows, and the steps between states that more than one script takes.
--
-- $campaign  hash: status, started_at, finished_at (ms)   $running  set of campaigns
--include enqueue
--include clock
--include history
--include under_way

-- is_reopenable(status) -> whether rows of the campaign may be made pending again
local function is_reopenable(status)
  return is_under_way(status) or status == 'completed'
end

-- is_one_of(status, states) -> whether the state is among them, "draft,ready"
local function is_one_of(status, states)
  return string.find(',' .. states .. ',', ',' .. status .. ',', 1, true) ~= nil
end

-- run(campaign, running, campaign_id): the dispatcher sends its recipients from now on, and is notified
local function run(campaign, running, campaign_id)
  redis.call('HSET', campaign, 'status', 'running')
  redis.call('SADD', running, campaign_id)
  notify('dispatch')
end

-- reopen(campaign, running, campaign_id, by): a completed campaign runs again because rows of it are pending again
local function reopen(campaign, running, campaign_id, by)
  note_step(campaign, now_ms(), by, 'reopened', 'completed', 'running')
  redis.call('HDEL', campaign, 'finished_at')
  run(campaign, running, campaign_id)
end
