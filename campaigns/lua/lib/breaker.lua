-- breaker: a circuit breaker that all workers share: an account's, and one for each campaign whose emails alone fail.
--
-- A breaker without trouble is half-open too while nothing shows that emails pass: an account that has accepted nothing
-- for a minute, a campaign that has just been started or resumed. One row tries, and the others follow at once when it
-- is accepted. So a dead key costs one request, and not as many as are sent at once.
--
-- $breaker  hash: level: how many times in a row trouble has opened it (absent or 0: closed); until: open up to then
--           (ms); probe_until: half-open, and a probe is under way up to then (ms); since: not closed since (ms); why:
--           the provider's words; ok_slot, ok_now, ok_before: emails accepted in this slot of 15 s and the one before;
--           an account's alone: ok_by, ok_at: the campaign whose email was accepted last, and when (ms);
--           ok_else: when an email of another campaign was accepted last; accepted:<fingerprint>: when the account has
--           accepted an email with these credentials last (ms); refused_by, refusals: see refusals
-- $failing  zset: campaign:row, or row -> when the provider last failed it (ms); the last 30 s are kept
--
--- after this time without an accepted email an account is tried with one row first (ms)
local COLD_MS = 60000

-- state_of(level, open_until, probe_until, is_cold, now) -> as breaker_state; is_cold: nothing shows that emails pass
local function state_of(level, open_until, probe_until, is_cold, now)
  if (tonumber(level) or 0) == 0 and not is_cold then
    return 'closed', 0
  end
  local open_ms = (tonumber(open_until) or 0) - now
  if open_ms > 0 then
    return 'open', open_ms
  end
  local probe_ms = (tonumber(probe_until) or 0) - now
  if probe_ms > 0 then
    return 'open', probe_ms
  end
  return 'half-open', 0
end

-- breaker_state(key, now, is_cold or nil) -> 'closed'; 'half-open' (one row may try); 'open'; and ms until it is worth
-- asking again
local function breaker_state(key, now, is_cold)
  local breaker = redis.call('HMGET', key, 'level', 'until', 'probe_until')
  return state_of(breaker[1], breaker[2], breaker[3], is_cold, now)
end
