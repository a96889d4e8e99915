-- leave: a worker stops: its slots no longer count, and another may release at once.
--
-- KEYS  1 lease  2 workers  3 slots   ARGV  1 worker id
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
