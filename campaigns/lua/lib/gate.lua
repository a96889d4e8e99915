-- gate: a block, shared by all workers: the provider's, and one of each campaign whose mails alone the provider fails.
--
-- $gate     hash: level: how often in a row the provider has shown trouble (absent or 0: open); until: closed up to
--           then (ms); probe_until: a probe is under way up to then (ms); since: closed since (ms); why: its words;
--           ok_slot, ok_now, ok_before: mails accepted in this slot of 15 s and in the one before;
--           of the provider's also: ok_by, ok_at: the campaign whose mail was accepted last, and when (ms);
--           ok_else: when last one of another's
-- $failing  zset: campaign:row, or row -> when the provider last failed it (ms); the last 30 s are kept
--
-- gate_state(key, now) -> 'open', 'probe' (one row may try), 'closed'; ms until it is worth asking again
local function gate_state(key, now)
  local gate = redis.call('HMGET', key, 'level', 'until', 'probe_until')
  if (tonumber(gate[1]) or 0) == 0 then
    return 'open', 0
  end
  local closed_ms = (tonumber(gate[2]) or 0) - now
  if closed_ms > 0 then
    return 'closed', closed_ms
  end
  local probe_ms = (tonumber(gate[3]) or 0) - now
  if probe_ms > 0 then
    return 'closed', probe_ms
  end
  return 'probe', 0
end
