-- admit_test_sends: grants test emails, all of a request or none, within their limit over any 60 s; never while the
-- circuit breaker of the provider is open.
--
-- KEYS  test_sends  breaker  campaign
-- ARGV  request_id  count:int  by
-- ->    { "granted", 0, "" }; { "limited", ms until so many may be sent, "" }; { "open", ms until the breaker is
--       half-open, the provider's words }
--
-- $test_sends  zset: request_id:number of each test email by when it was granted (ms)
-- request_id: unique; by: who asks
--include breaker
--include clock
--include history
local TEST_SENDS_PER_WINDOW = 60
local TEST_WINDOW_MS = 60 * 1000

local now = now_ms()
local state, open_ms = breaker_state(breaker, now)
if state == 'open' then
  return { 'open', open_ms, redis.call('HGET', breaker, 'why') or '' }
end
redis.call('ZREMRANGEBYSCORE', test_sends, '-inf', now - TEST_WINDOW_MS)
local surplus = redis.call('ZCARD', test_sends) + count - TEST_SENDS_PER_WINDOW
if surplus > 0 then
  local last = redis.call('ZRANGE', test_sends, surplus - 1, surplus - 1, 'WITHSCORES')
  return { 'limited', tonumber(last[2]) + TEST_WINDOW_MS - now, '' }
end
for number = 1, count do
  redis.call('ZADD', test_sends, now, request_id .. ':' .. number)
end
redis.call('PEXPIRE', test_sends, TEST_WINDOW_MS)
note(campaign, now, by, 'test_sent', { count = count })
return { 'granted', 0, '' }
