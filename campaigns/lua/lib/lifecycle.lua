-- lifecycle: what a campaign's state allows, and the steps between states that more than one script takes.
--
-- $campaign  hash: status, reason, started_at, finished_at (ms)   $running  set of campaigns
--include enqueue

-- is_under_way(status) -> whether the campaign has been started and is not over
local function is_under_way(status)
  return status == 'running' or status == 'paused'
end

-- is_reopenable(status) -> whether rows of the campaign may be made pending again
local function is_reopenable(status)
  return is_under_way(status) or status == 'completed'
end

-- is_one_of(status, states) -> whether the state is among them, "draft,ready"
local function is_one_of(status, states)
  return string.find(',' .. states .. ',', ',' .. status .. ',', 1, true) ~= nil
end

-- run(campaign, running, campaign_id): from now on it takes part in releasing, which starts at once
local function run(campaign, running, campaign_id)
  redis.call('HSET', campaign, 'status', 'running')
  redis.call('SADD', running, campaign_id)
  wake('release')
end

-- reopen(campaign, running, campaign_id): a completed campaign runs again, as rows of it are pending again
local function reopen(campaign, running, campaign_id)
  redis.call('HDEL', campaign, 'finished_at')
  run(campaign, running, campaign_id)
end

-- pause_for(campaign, running, campaign_id, reason): the system itself pauses a running campaign
local function pause_for(campaign, running, campaign_id, reason)
  redis.call('HSET', campaign, 'status', 'paused', 'reason', reason)
  redis.call('SREM', running, campaign_id)
end
