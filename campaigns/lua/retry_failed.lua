-- retry_failed: all failed rows are pending again and will be fed once more; a completed campaign runs again.
--
-- KEYS  1 campaign  2 progress  3 failed  4 again  5 dead  6 running   ARGV  1 campaign id  2 generation
-- ->    number of rows, or -1 where the campaign's state does not allow it
--
-- The reasons stay: what a row's last attempt left, and the mark that there was one. The dead letters so far are no evidence any more.
--include clock
--include enqueue
local state = redis.call('HMGET', KEYS[1], 'status', 'generation')
if state[2] ~= ARGV[2] or (state[1] ~= 'running' and state[1] ~= 'paused' and state[1] ~= 'completed') then
  return -1
end
local count = redis.call('BITCOUNT', KEYS[3])
if count == 0 then
  return 0
end
redis.call('BITOP', 'OR', KEYS[4], KEYS[4], KEYS[3])
redis.call('DEL', KEYS[3])
redis.call('HSET', KEYS[2], 'failed', 0, 'again', redis.call('BITCOUNT', KEYS[4]), 'feed_asked', 0,
  'retried_at', now_ms())
redis.call('DEL', KEYS[5])
if state[1] == 'completed' then
  redis.call('HSET', KEYS[1], 'status', 'running')
  redis.call('HDEL', KEYS[1], 'finished_at')
  redis.call('SADD', KEYS[6], ARGV[1])
  wake('release')
end
return count
