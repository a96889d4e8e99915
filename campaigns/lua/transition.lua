-- transition: moves a campaign to another state where its state allows that.
--
-- KEYS  campaign  progress  in_flight  running  parsing  ready  requeued  batches  held  attachments  done
--       before_brake
-- ARGV  campaign_id  target  comes_from  is_there  accepts:flag  accepts_brake:flag  by
-- ->    { outcome, state before, rows in flight, detail }; outcome one of moved, same, refused, missing, empty,
--       columns, warnings, braked, later
--       empty: the list has no valid recipient; columns: the list lacks some that the templates name; the detail
--       says which. warnings: some must be accepted first; the detail has their codes
--       braked: the brake holds it, and a person must accept the figures; the detail says them
--       later: it will start as soon as its list is parsed
--
-- accepts: whether a person accepts all warnings; accepts_brake: the figures for which the brake holds the campaign
-- by: who takes the step
-- target: the new state; comes_from: states it may come from, "ready,running"; is_there: states in which it is there
-- already
--include acceptance
--include brake_acceptance
--include clock
--include columns
--include held
--include history
--include lifecycle
local status = redis.call('HGET', campaign, 'status')
if not status then
  return { 'missing', '', 0, '' }
end
local now = now_ms()
local total = tonumber(redis.call('HGET', progress, 'total')) or 0
local function answer(outcome, detail)
  return { outcome, status, redis.call('HLEN', in_flight), detail or '' }
end

if is_one_of(status, is_there) then
  return answer('same')
end
if not is_one_of(status, comes_from) then
  return answer('refused')
end
if target == 'running' then
  local codes = accepts and '' or status ~= 'paused' and needs_acceptance(campaign, attachments) or ''
  if status == 'parsing' then
    if codes ~= '' then
      return answer('warnings', codes)
    end
    if accepts then
      accept_warnings(campaign)
    end
    if redis.call('HSET', campaign, 'start_when_ready', '1', 'start_by', by) > 0 then
      note(campaign, now, by, 'start_requested')
    end
    return answer('later')
  end
  if total == 0 then
    return answer('empty')
  end
  if status == 'ready' and missing_columns(campaign) ~= '' then
    return answer('columns', missing_columns(campaign))
  end
  if codes ~= '' then
    return answer('warnings', codes)
  end
  if accepts then
    accept_warnings(campaign)
  end
  local braked = redis.call('HGET', campaign, 'braked')
  if braked and not accepts_brake then
    return answer('braked', braked)
  end
  if braked then
    accept_brake({ campaign = campaign, progress = progress, before_brake = before_brake, in_flight = in_flight,
      done = done })
    note(campaign, now, by, 'brake_accepted', nil, braked)
  end
  redis.call('HSETNX', campaign, 'started_at', now)
  redis.call('HDEL', campaign, 'reason', 'proven')
  redis.call('HDEL', progress, 'paced_at', 'tokens', 'prefetch_asked', 'prefetch_asked_at', 'prefetch_after',
    'reconcile_at')
  run(campaign, running, campaign_id)
else
  redis.call('SREM', running, campaign_id)
end
if target == 'cancelled' then
  redis.call('ZREM', parsing, campaign_id)
  redis.call('HSET', campaign, 'finished_at', now)
  redis.call('DEL', ready, requeued, batches)
  drop_held(held)
  redis.call('HDEL', progress, 'held')
end
if target == 'paused' then
  redis.call('HDEL', campaign, 'reason')
end
redis.call('HSET', campaign, 'status', target)
local event = target == 'running' and (status == 'paused' and 'resumed' or 'started') or target
note_step(campaign, now, by, event, status, target)
return answer('moved')
