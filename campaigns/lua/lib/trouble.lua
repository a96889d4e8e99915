-- trouble: whether a failure is the provider's trouble or this campaign's alone, and what it does to their breakers.
-- For scripts that declare campaign, campaign_id, breaker, failing, own_breaker and own_failing.
--include breaker_changes
--include history

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
    note_breaker(which == breaker and string.match(breaker, '[^:]*$'), now, reason)
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

-- close_breakers(now): the provider accepts this campaign's emails
local function close_breakers(now)
  note_success_of(breaker, now, campaign_id)
  breaker_close(breaker, now)
  breaker_close(own_breaker, now)
end
