-- end_event: an outgoing event does not wait any more: the receiver has taken it, or has not done so for a day.
--
-- KEYS  events_due  events_waiting  events_attempts  history
-- ARGV  id  given_up:flag  reason
-- ->    nil
--
-- history: of the installation, which says that an event was given up; reason: why
--include clock
--include history
redis.call('ZREM', events_due, id)
redis.call('HDEL', events_waiting, id)
redis.call('HDEL', events_attempts, id)
if given_up then
  note_in(history, now_ms(), 'system', 'event_given_up', { count = 1 }, reason)
end
return nil
