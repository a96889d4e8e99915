-- fair_queueing: which campaign sends its next batch (weighted fair queueing).
-- For scripts that declare key_prefix, and what dispatch_accounts needs.
--
-- Each recipient costs its campaign 1 / weight of virtual time, and the campaign that is furthest behind goes next. One
-- that had nothing to send, or was not allowed to, does not save up virtual time.
--
-- $progress  hash: tokens, paced_at: the pace; vtime: its virtual time; batch_rows: see prefetch
--include window
--include limit
--include pace
--include breaker
--include dispatch_accounts
--include canary
--include windows

--- how old a campaign's pace may grow before it is computed again (ms), where the campaign sent nothing: of many
--- campaigns most send nothing in a round, and no change of rate is noticed within this time
local PACE_AGE_MS = 100

-- read_campaign(id, vtime, now) -> a campaign as one round handles it
local function read_campaign(id, vtime, now)
  local prefix = key_prefix .. ':{' .. id .. '}:'
  local c = redis.call('HMGET', prefix .. 'campaign', 'list_version', 'slices', 'weight', 'account', 'proven',
    'open_windows', 'pause_after', 'canary_over')
  local p = redis.call('HMGET', prefix .. 'progress', 'tokens', 'paced_at', 'cursor', 'refeed', 'prefetch_asked',
    'reconcile_at', 'vtime', 'held', 'prefetch_asked_at', 'prefetch_after', 'batch_rows', 'waits_for', 'done')
  local limit = limit_now(prefix .. 'campaign', now)
  local tokens, rate = pace_refill(limit, p[1], p[2], now)
  local state, open_ms = breaker_state(prefix .. 'breaker', now, not c[5])
  local opens_ms = window_opens_in(c[6], now) or WINDOWS_UNKNOWN_MS
  local canary = canary_left(c[7], c[8], p[13], prefix .. 'in_flight', prefix .. 'unknown')
  return {
    stale_windows = window_is_stale(c[6], now),
    probe = state == 'half-open', excluded = state == 'open' or opens_ms > 0, open_ms = math.max(open_ms, opens_ms),
    account = c[4] or 'default', waits_for = p[12],
    id = id, prefix = prefix, list_version = c[1], rate = rate, tokens = tokens, weight = tonumber(c[3]) or 1,
    left = math.min(math.floor(tokens), limit - window_used(prefix .. 'window', now), canary),
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

-- whether a campaign goes before another. While an account's breaker is half-open, campaigns whose own breaker is
-- closed go first: they show best whether the account works again
local function goes_before(c, other)
  local c_last = c.probe and c.via.state == 'half-open'
  local other_last = other.probe and other.via.state == 'half-open'
  if c_last ~= other_last then
    return other_last
  end
  return c.vtime < other.vtime
end

-- next_campaign(campaigns, now) -> the campaign that sends next, or nil. An account that may not send holds up its own
-- campaigns only
local function next_campaign(campaigns, now)
  local first
  for _, c in ipairs(campaigns) do
    if not c.excluded and c.left >= 1 then
      -- nearly always its own account, which needs no look-up: this runs for each campaign and batch
      c.via = c.home and not c.home.gives_way and c.home or account_now(c.account, now)
      if c.via and may_send(c.via) and (not first or goes_before(c, first)) then
        first = c
      end
    end
  end
  return first
end

-- check_account(c, now): a campaign of an account that this process or another living worker does not know waits
local function check_account(c, now)
  local account, problem = round_account(c.account, now), nil
  c.home = account
  if not account then
    problem = worker_id
  elseif account.ignorant then
    problem = account.ignorant
  end
  if problem then
    c.excluded = true
  end
  local progress = c.prefix .. 'progress'
  if problem and problem ~= c.waits_for then
    redis.call('HSET', progress, 'waits_for', problem)
  elseif c.waits_for and not problem then
    redis.call('HDEL', progress, 'waits_for')
  end
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

local function never()
  return false
end

-- ms_to_next(c, now, at_least) -> ms until the campaign may have something to dispatch, or math.huge
local function ms_to_next(c, now, at_least)
  local account = account_for(c.account, never, now)
  if c.requeued + c.ready + c.held == 0 or not account or account.ignorant then
    return math.huge
  end
  if account.state == 'open' then
    return account.open_ms
  end
  return math.max(at_least, c.open_ms, math.ceil((1 - c.tokens) / c.rate))
end
