-- due_starts: starts the scheduled campaigns whose time has come.
-- For scripts that declare running and schedule, and key_prefix.
--include starting

--- the most campaigns that one round starts
local MOST_STARTS = 20
--- how long a campaign waits that could not be looked at (ms)
local START_AGAIN_MS = 60000

-- one of them, if it is still scheduled for a time that is past. What it lacks keeps it from starting, with the reason
local function start_due(id, now)
  local prefix = key_prefix .. ':{' .. id .. '}:'
  local k = { campaign = prefix .. 'campaign', progress = prefix .. 'progress', attachments = prefix .. 'attachments',
    running = running, schedule = schedule }
  local found = redis.call('HMGET', k.campaign, 'status', 'start_at')
  if found[1] ~= 'scheduled' then
    return
  end
  if (tonumber(found[2] or '') or 0) > now then
    redis.call('ZADD', schedule, found[2], id)
    return
  end
  local problem, detail = start_problem(k, false)
  if problem then
    local reason = START_PROBLEMS[problem] .. (detail or '')
    redis.call('HSET', k.campaign, 'status', 'ready', 'reason', reason)
    note_step(k.campaign, now, 'system', 'start_failed', 'scheduled', 'ready', reason)
  else
    begin_sending(k, id, 'system', 'scheduled', now)
  end
end

-- start_all_due(now) -> ms until the next one is due, or nil
local function start_all_due(now)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', schedule, '-inf', now, 'LIMIT', 0, MOST_STARTS)) do
    redis.call('ZREM', schedule, id)
    -- one that Redis refuses, since one of its keys holds a wrong type, delays no other and is tried again
    if not pcall(start_due, id, now) then
      redis.call('ZADD', schedule, now + START_AGAIN_MS, id)
    end
  end
  local next_one = redis.call('ZRANGE', schedule, 0, 0, 'WITHSCORES')
  return next_one[2] and math.max(0, tonumber(next_one[2]) - now)
end
