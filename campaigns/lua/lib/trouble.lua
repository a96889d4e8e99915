-- trouble: whether a failure is the provider's trouble or this campaign's alone, and what it does to their breakers.
-- For scripts that declare campaign, campaign_id, account, fingerprint, breaker, failing, own_breaker and own_failing.
--
-- $campaign  hash: proven: "1" once an email was accepted since the campaign was started or resumed
--include breaker
--include breaker_changes
--include enqueue
--include history

--- how long an outage costs no attempt (ms)
local OUTAGE_PATIENCE_MS = 24 * 3600 * 1000

-- breaker_in_trouble(row, now) -> the breaker that the row's failure concerns; nil where it may be the recipient's own
local function breaker_in_trouble(row, now)
  local of_all = is_provider_trouble(breaker, failing, now, campaign_id .. ':' .. row)
  local own = is_provider_trouble(own_breaker, own_failing, now, row)
  if own and others_succeed(breaker, failing, own_breaker, own_failing, now, campaign_id) then
    return own_breaker
  end
  return (own or of_all) and breaker or nil
end

-- a breaker has opened: in the history of the installation, if it is an account's, else in the campaign's
local function note_breaker(account, now, reason)
  if account then
    note_installation(campaign, now, 'system', 'breaker_opened', { account = account, count = 1 }, reason)
  else
    note(campaign, now, 'system', 'breaker_opened', { count = 1 }, reason)
  end
end

-- trip_breaker(which, now, wait_ms or nil, reason): a probe of the other breaker has shown nothing about that one
local function trip_breaker(which, now, wait_ms, reason)
  if breaker_trip(which, now, wait_ms, reason) then
    note_breaker(which == breaker and account, now, reason)
  end
  breaker_probe_over(which == breaker and own_breaker or breaker)
end

-- probes_unanswered(): a row that a half-open breaker let through was not tried: the breaker waits for another one
local function probes_unanswered()
  breaker_probe_over(breaker)
  breaker_probe_over(own_breaker)
end

-- count_successes(now, count): the provider accepted count emails. A campaign's own successes count from its first
-- failure on, so that an outage that begins in the middle of many successes shows at once
local function count_successes(now, count)
  note_successes(breaker, now, count)
  if redis.call('EXISTS', own_breaker, own_failing) > 0 then
    note_successes(own_breaker, now, count)
  end
end

-- close_breakers(now, is_proven): the provider accepts this campaign's emails. Where one row has tried first, the
-- dispatcher is notified, so that the others follow at once
local function close_breakers(now, is_proven)
  local was_cold = note_success_of(breaker, now, campaign_id, fingerprint)
  breaker_close(breaker, now)
  breaker_close(own_breaker, now)
  if not is_proven then
    redis.call('HSET', campaign, 'proven', '1')
    redis.call('HDEL', own_breaker, 'probe_until')
  end
  if was_cold or not is_proven then
    notify('dispatch')
  end
end

-- trip_for(row, kind, now, reason, wait_ms): opens the breaker that a failure concerns -> whether the failure costs an
-- attempt. It does where the provider works for others, and where the failure may be the recipient's own
local function trip_for(row, kind, now, reason, wait_ms)
  local which = (kind == 'throttled' or kind == 'unreachable') and breaker or breaker_in_trouble(row, now)
  if not which then
    probes_unanswered()
    return true
  end
  trip_breaker(which, now, wait_ms, reason)
  if which ~= breaker then
    return true
  end
  return kind ~= 'throttled' and now - tonumber(redis.call('HGET', breaker, 'since')) > OUTAGE_PATIENCE_MS
end
