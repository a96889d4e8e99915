-- turns: which campaign releases next (weighted fair queueing).
-- For scripts that declare key_prefix.
--
-- Each recipient costs its campaign 1 / weight of virtual time, and the campaign that is furthest behind goes next. One
-- that had nothing to send, or was not allowed to, does not save up turns.
--
-- $progress  hash: tokens, paced_at: the pace; turn: its virtual time
--include window
--include limit
--include pace
--include gate

--- how old a campaign's pace may grow before it is reckoned anew (ms), where the campaign had no turn: with many
--- campaigns most have none in a tick, and no change of rate is noticed within this time
local PACE_AGE_MS = 100

-- read_turn(id, vtime, now) -> a campaign as one tick handles it
local function read_turn(id, vtime, now)
  local prefix = key_prefix .. ':{' .. id .. '}:'
  local c = redis.call('HMGET', prefix .. 'campaign', 'generation', 'slices', 'weight')
  local p = redis.call('HMGET', prefix .. 'progress', 'tokens', 'paced_at', 'cursor', 'again', 'feed_asked',
    'reconcile_at', 'turn', 'parked', 'asked_at', 'feed_after')
  local limit = limit_now(prefix .. 'campaign', now)
  local tokens, rate = pace_refill(limit, p[1], p[2], now)
  local passage, closed_ms = gate_state(prefix .. 'gate', now)
  return {
    probe = passage == 'probe', passed = passage == 'closed', closed_ms = closed_ms,
    id = id, prefix = prefix, generation = c[1], rate = rate, tokens = tokens, weight = tonumber(c[3]) or 1,
    left = math.min(math.floor(tokens), limit - window_used(prefix .. 'window', now)),
    turn = math.max(tonumber(p[7]) or 0, vtime),
    unfed = (tonumber(p[3]) or 0) < (tonumber(c[2]) or 0) or (tonumber(p[4]) or 0) > 0,
    feed_asked = tonumber(p[5]) or 0, asked_at = tonumber(p[9]) or 0, feed_after = tonumber(p[10]) or 0,
    reconcile_at = tonumber(p[6]),
    deferred = redis.call('LLEN', prefix .. 'deferred'), waiting = redis.call('LLEN', prefix .. 'waiting'),
    parked = tonumber(p[8]) or 0, parked_before = tonumber(p[8]) or 0, bytes = 0,
    paced_at = tonumber(p[2]) or 0, changed = false,
  }
end

-- whether a campaign goes before another. Whether the provider is well, those say best who have no trouble of their own
local function goes_before(c, other, passage)
  if passage == 'probe' and c.probe ~= other.probe then
    return other.probe
  end
  return c.turn < other.turn
end

-- next_turn(campaigns, passage of the provider's gate) -> the campaign whose turn it is, or nil
local function next_turn(campaigns, passage)
  local first
  for _, c in ipairs(campaigns) do
    if not c.passed and c.left >= 1 and (not first or goes_before(c, first, passage)) then
      first = c
    end
  end
  return first
end

-- save_turn(c, now): what the tick has changed of a campaign
local function save_turn(c, now)
  local progress = c.prefix .. 'progress'
  if c.changed or now - c.paced_at >= PACE_AGE_MS then
    redis.call('HSET', progress, 'tokens', string.format('%.4f', c.tokens), 'paced_at', now,
      'turn', string.format('%.4f', c.turn))
  end
  if c.parked ~= c.parked_before then
    redis.call('HINCRBY', progress, 'parked', c.parked - c.parked_before)
  end
  if c.bytes > 0 then
    redis.call('HINCRBY', progress, 'waiting_bytes', -c.bytes)
  end
end
