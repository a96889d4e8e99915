-- transition: moves a campaign to another state where its state allows that.
--
-- KEYS  campaign  progress  in_flight  running  parsing  ready  requeued  batches  held  attachments  done
--       before_brake  schedule
-- ARGV  campaign_id  target  comes_from  is_there  accepts:flag  accepts_brake:flag  by
-- ->    { outcome, state before, rows in flight, detail }; outcome one of moved, same, refused, missing, empty,
--       columns, warnings, braked, later
--       empty: the list has no valid recipient; columns: the list lacks some that the templates name; the detail
--       says which. warnings: some must be accepted first; the detail has their codes. moved: the detail is the new
--       state: the target, or scheduled where its time to begin has not come
--       braked: the brake holds it, and a person must accept the figures; the detail says them
--       later: it will start as soon as its list is parsed
--
-- accepts: whether a person accepts all warnings; accepts_brake: the figures for which the brake holds the campaign
-- by: who takes the step
-- target: the new state; comes_from: states it may come from, "ready,running"; is_there: states in which it is there
-- already
--include brake_acceptance
--include clock
--include held
--include starting
local status = redis.call('HGET', campaign, 'status')
if not status then
  return { 'missing', '', 0, '' }
end
local now = now_ms()
local function answer(outcome, detail)
  return { outcome, status, redis.call('HLEN', in_flight), detail or '' }
end

if accepts and status == 'scheduled' then
  accept_warnings(campaign)
end
if is_one_of(status, is_there) then
  return answer('same')
end
if not is_one_of(status, comes_from) then
  return answer('refused')
end
if target == 'running' then
  if status == 'parsing' then
    local codes = accepts and '' or needs_acceptance(campaign, attachments)
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
  local k = { campaign = campaign, progress = progress, running = running, schedule = schedule,
    attachments = attachments }
  local problem, detail = start_problem(k, accepts)
  if problem and status ~= 'paused' then
    return answer(problem, detail)
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
  return answer('moved', begin_sending(k, campaign_id, by, status, now))
end
redis.call('SREM', running, campaign_id)
redis.call('ZREM', schedule, campaign_id)
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
note_step(campaign, now, by, target, status, target)
return answer('moved', target)
