-- disable_events: the receiver wants no outgoing events. None wait until it is another one.
--
-- KEYS  events  events_due  events_waiting  events_attempts  history
-- ARGV  reason
-- ->    nil
--
-- history: of the installation; reason: why
--include clock
--include history
redis.call('HSET', events, 'on_until', 0)
redis.call('DEL', events_due, events_waiting, events_attempts)
note_in(history, now_ms(), 'system', 'events_disabled', nil, reason)
return nil
