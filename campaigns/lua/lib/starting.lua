-- starting: what a campaign needs to start, and its start, at once or at its time.
--
-- $campaign  hash: start_at: when it begins (ms), "" or absent: as soon as it is started; started_at
-- $schedule  zset: campaign that is scheduled, by when it begins (ms)
--include acceptance
--include columns
--include history
--include lifecycle

-- start_problem(k, accepts) -> nil; "empty", "columns" or "warnings" and which
-- k names the keys: campaign, progress, attachments, running, schedule; accepts: a person accepts all warnings
local function start_problem(k, accepts)
  if (tonumber(redis.call('HGET', k.progress, 'total')) or 0) == 0 then
    return 'empty'
  end
  local missing = missing_columns(k.campaign)
  if missing ~= '' then
    return 'columns', missing
  end
  local codes = accepts and '' or needs_acceptance(k.campaign, k.attachments)
  if codes ~= '' then
    return 'warnings', codes
  end
  return nil
end

local START_PROBLEMS = {
  empty = 'the list has no valid recipient: upload a list with at least one',
  columns = 'the templates name columns that the CSV lacks: ',
  warnings = 'accept the warnings to start: ',
}

-- plan_again(campaign, schedule, campaign_id, by, now): the content of a scheduled campaign has changed
local function plan_again(campaign, schedule, campaign_id, by, now)
  local start_at = redis.call('HGET', campaign, 'start_at')
  if start_at and start_at ~= '' then
    redis.call('ZADD', schedule, start_at, campaign_id)
    notify('dispatch')
  else
    redis.call('ZREM', schedule, campaign_id)
    redis.call('HSET', campaign, 'status', 'ready')
    note_step(campaign, now, by, 'unscheduled', 'scheduled', 'ready')
  end
end

-- begin_sending(k, campaign_id, by, from, now) -> the new state: running, or scheduled before its time
-- from: the state before
local function begin_sending(k, campaign_id, by, from, now)
  local planned = redis.call('HMGET', k.campaign, 'start_at', 'started_at')
  local start_at = tonumber(planned[1] or '')
  redis.call('HDEL', k.campaign, 'reason', 'proven')
  if start_at and start_at > now and not planned[2] then
    redis.call('HSET', k.campaign, 'status', 'scheduled')
    redis.call('ZADD', k.schedule, start_at, campaign_id)
    note_step(k.campaign, now, by, 'scheduled', from, 'scheduled')
    notify('dispatch')
    return 'scheduled'
  end
  redis.call('HSETNX', k.campaign, 'started_at', now)
  redis.call('HDEL', k.progress, 'paced_at', 'tokens', 'prefetch_asked', 'prefetch_asked_at', 'prefetch_after',
    'reconcile_at')
  run(k.campaign, k.running, campaign_id)
  note_step(k.campaign, now, by, from == 'paused' and 'resumed' or 'started', from, 'running')
  return 'running'
end
