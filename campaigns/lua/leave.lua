-- leave: removes a stopping worker: its slots no longer count, and another worker may dispatch immediately.
--
-- KEYS  lease  workers  slots  worker_accounts
-- ARGV  worker_id
-- ->    nothing
if redis.call('GET', lease) == worker_id then
  redis.call('DEL', lease)
end
redis.call('ZREM', workers, worker_id)
redis.call('HDEL', slots, worker_id)
redis.call('HDEL', worker_accounts, worker_id)
