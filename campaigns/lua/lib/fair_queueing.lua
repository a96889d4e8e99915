-- fair_queueing: which campaign sends its next batch (weighted fair queueing).
-- For scripts that declare key_prefix.
--
-- Each recipient costs its campaign 1 / weight of virtual time, and the campaign that is furthest behind goes next. One
-- that had nothing to send, or was not allowed to, does not save up virtual time.
--
-- $progress  hash: tokens, paced_at: the pace; vtime: its virtual time; batch_rows: see prefetch
--include window
--include limit
--include pace
--include breaker

--- how old a campaign's pace may grow before it is computed again (ms), where the campaign sent nothing: of many
--- campaigns most send nothing in a round, and no change of rate is noticed within this time
local PACE_AGE_MS = 100

-- read_campaign(id, vtime, now) -> a campaign as one round handles it
local function read_campaign(id, vtime, now)
  local prefix = key_prefix .. ':{' .. id .. '}:'
  local c = redis.call('HMGET', prefix .. 'campaign', 'list_version', 'slices', 'weight')
  local p = redis.call('HMGET', prefix .. 'progress', 'tokens', 'paced_at', 'cursor', 'refeed', 'prefetch_asked',
    'reconcile_at', 'vtime', 'held', 'prefetch_asked_at', 'prefetch_after', 'batch_rows')
  local limit = limit_now(prefix .. 'campaign', now)
  local tokens, rate = pace_refill(limit, p[1], p[2], now)
  local state, open_ms = breaker_state(prefix .. 'breaker', now)
  return {
    probe = state == 'half-open', excluded = state == 'open', open_ms = open_ms,
    id = id, prefix = prefix, list_version = c[1], rate = rate, tokens = tokens, weight = tonumber(c[3]) or 1,
    left = math.min(math.floor(tokens), limit - window_used(prefix .. 'window', now)),
    vtime = math.max(tonumber(p[7]) or 0, vtime),
    has_more = (tonumber(p[3]) or 0) < (tonumber(c[2]) or 0) or (tonumber(p[4]) or 0) > 0,
    prefetch_asked = tonumber(p[5]) or 0, prefetch_asked_at = tonumber(p[9]) or 0,
    prefetch_after = tonumber(p[10]) or 0,
    reconcile_at = tonumber(p[6]), batch_rows = tonumber(p[11]) or 0,
    requeued = redis.call('LLEN', prefix .. 'requeued'), ready = redis.call('LLEN', prefix .. 'ready'),
    held = tonumber(p[8]) or 0, held_before = tonumber(p[8]) or 0, bytes = 0,
    paced_at = tonumber(p[2]) or 0, changed = false,
  }
end

-- whether a campaign goes before another. While the provider's breaker is half-open, campaigns whose own breaker is
-- closed go first: they show best whether the provider works again
local function goes_before(c, other, state)
  if state == 'half-open' and c.probe ~= other.probe then
    return other.probe
  end
  return c.vtime < other.vtime
end

-- next_campaign(campaigns, state of the provider's breaker) -> the campaign that sends next, or nil
local function next_campaign(campaigns, state)
  local first
  for _, c in ipairs(campaigns) do
    if not c.excluded and c.left >= 1 and (not first or goes_before(c, first, state)) then
      first = c
    end
  end
  return first
end

-- save_campaign(c, now): what the round has changed of a campaign
local function save_campaign(c, now)
  local progress = c.prefix .. 'progress'
  if c.changed or now - c.paced_at >= PACE_AGE_MS then
    redis.call('HSET', progress, 'tokens', string.format('%.4f', c.tokens), 'paced_at', now,
      'vtime', string.format('%.4f', c.vtime))
  end
  if c.held ~= c.held_before then
    redis.call('HINCRBY', progress, 'held', c.held - c.held_before)
  end
  if c.bytes > 0 then
    redis.call('HINCRBY', progress, 'ready_bytes', -c.bytes)
  end
end
