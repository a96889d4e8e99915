-- transition: moves a campaign to another state where its state allows that.
--
-- KEYS  campaign  progress  in_flight  running  parsing  ready  requeued  batches  held
-- ARGV  campaign_id  target  comes_from  is_there  accepts_warnings:flag
-- ->    { outcome, state before, rows in flight, missing columns or unaccepted warnings }; outcome one of moved,
--       same, refused, missing, empty, columns, warnings, later
--       empty: the list has no valid recipient; columns: the list lacks some that the templates name
--       warnings: some must be accepted; later: it will start as soon as its list is parsed
--
-- target: the new state; comes_from: states it may come from, "ready,running"; is_there: states in which it is there
-- already; accepts_warnings: whether the operator accepts the warnings that would stop a start
--include clock
--include columns
--include held
--include lifecycle
--include unaccepted
local status = redis.call('HGET', campaign, 'status')
if not status then
  return { 'missing', '', 0, '' }
end
local total = tonumber(redis.call('HGET', progress, 'total')) or 0
local function answer(outcome)
  local detail = outcome == 'columns' and missing_columns(campaign) or
    outcome == 'warnings' and unaccepted_warnings(campaign) or ''
  return { outcome, status, redis.call('HLEN', in_flight), detail }
end

if is_one_of(status, is_there) then
  return answer('same')
end
if not is_one_of(status, comes_from) then
  return answer('refused')
end
if target == 'running' then
  if status == 'parsing' then
    redis.call('HSET', campaign, 'start_when_ready', '1')
    if accepts_warnings then
      redis.call('HSET', campaign, 'accepts_warnings', '1')
    end
    return answer('later')
  end
  if total == 0 then
    return answer('empty')
  end
  if status == 'ready' and missing_columns(campaign) ~= '' then
    return answer('columns')
  end
  if status == 'ready' and not accepts_warnings and unaccepted_warnings(campaign) ~= '' then
    return answer('warnings')
  end
  redis.call('HSETNX', campaign, 'started_at', now_ms())
  redis.call('HDEL', campaign, 'reason')
  redis.call('HDEL', progress, 'paced_at', 'tokens', 'prefetch_asked', 'prefetch_asked_at', 'prefetch_after',
    'reconcile_at')
  run(campaign, running, campaign_id)
else
  redis.call('SREM', running, campaign_id)
end
if target == 'cancelled' then
  redis.call('ZREM', parsing, campaign_id)
  redis.call('HSET', campaign, 'finished_at', now_ms())
  redis.call('DEL', ready, requeued, batches)
  drop_held(held)
  redis.call('HDEL', progress, 'held')
end
if target == 'paused' then
  redis.call('HDEL', campaign, 'reason')
end
redis.call('HSET', campaign, 'status', target)
return answer('moved')
