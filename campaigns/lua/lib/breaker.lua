-- breaker: a circuit breaker that all workers share: the provider's, and one for each campaign whose emails alone fail.
--
-- $breaker  hash: level: how many times in a row trouble has opened it (absent or 0: closed); until: open up to then
--           (ms); probe_until: half-open, and a probe is under way up to then (ms); since: not closed since (ms); why:
--           the provider's words; ok_slot, ok_now, ok_before: emails accepted in this slot of 15 s and the one before;
--           the provider's alone: ok_by, ok_at: the campaign whose email was accepted last, and when (ms);
--           ok_else: when an email of another campaign was accepted last
-- $failing  zset: campaign:row, or row -> when the provider last failed it (ms); the last 30 s are kept
--
-- breaker_state(key, now) -> 'closed'; 'half-open' (one row may try); 'open'; and ms until it is worth asking again
local function breaker_state(key, now)
  local breaker = redis.call('HMGET', key, 'level', 'until', 'probe_until')
  if (tonumber(breaker[1]) or 0) == 0 then
    return 'closed', 0
  end
  local open_ms = (tonumber(breaker[2]) or 0) - now
  if open_ms > 0 then
    return 'open', open_ms
  end
  local probe_ms = (tonumber(breaker[3]) or 0) - now
  if probe_ms > 0 then
    return 'open', probe_ms
  end
  return 'half-open', 0
end
