-- leave: removes a stopping worker: its slots no longer count, and another worker may dispatch immediately.
--
-- KEYS  lease  workers  slots
-- ARGV  worker_id
-- ->    nothing
if redis.call('GET', lease) == worker_id then
  redis.call('DEL', lease)
end
redis.call('ZREM', workers, worker_id)
redis.call('HDEL', slots, worker_id)
