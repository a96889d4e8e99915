-- retry_event: an attempt to deliver an outgoing event has failed; the next one is due after a wait.
--
-- KEYS  events_due  events_attempts
-- ARGV  id  wait_ms:int
-- ->    nil
--include clock
redis.call('HINCRBY', events_attempts, id, 1)
redis.call('ZADD', events_due, 'XX', now_ms() + wait_ms, id)
return nil
