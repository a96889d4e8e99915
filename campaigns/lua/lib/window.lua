-- window: a strict sliding window of 60 s, counted in buckets of 100 ms, the oldest one counted in full.
--
-- It is 200 ms longer than 60 s: emails reach the provider after their admission, with varying delay, and the limit
-- must also hold where they arrive.
--
-- $window  hash: <bucket number> -> admissions in it; sum: of all buckets kept; tail: the oldest bucket that may be
--          kept; last: the latest time seen (ms), so that a clock that steps back cannot open the window.
--
-- A bucket leaves the window only when all of it is older than that. So no 60 s, aligned or not, hold more admissions
-- than allowed. The cost is up to 300 ms in 60 s, 0.5 % of the allowance.
local BUCKET_MS = 100
local WINDOW_MS = 60200

-- window_count(key, now) -> admissions within the window, the time to reckon with (never before the last one seen), the
-- bucket that is the oldest within it, the buckets older than that: nil for none, "all" where nothing in the window is
-- younger. It only reads.
local function window_count(key, now)
  local head = redis.call('HMGET', key, 'sum', 'tail', 'last')
  if not head[2] then
    return 0, now
  end
  local sum, tail = tonumber(head[1]), tonumber(head[2])
  now = math.max(now, tonumber(head[3]))
  local oldest = math.floor((now - WINDOW_MS) / BUCKET_MS)
  if oldest <= tail then
    return sum, now
  end
  if oldest - tail > WINDOW_MS / BUCKET_MS then
    return 0, now, oldest, 'all'
  end
  local old = {}
  for bucket = tail, oldest - 1 do
    old[#old + 1] = bucket
  end
  for _, count in ipairs(redis.call('HMGET', key, unpack(old))) do
    sum = sum - (tonumber(count) or 0)
  end
  return sum, now, oldest, old
end

-- window_used(key, now) -> as the first two of window_count; what is older than the window is dropped
local function window_used(key, now)
  local sum, oldest, old
  sum, now, oldest, old = window_count(key, now)
  if old == 'all' then
    redis.call('DEL', key)
  elseif old then
    redis.call('HDEL', key, unpack(old))
    redis.call('HSET', key, 'sum', sum, 'tail', oldest)
  end
  return sum, now
end

-- window_add(key, now, count): count admissions at the time that window_used returned
local function window_add(key, now, count)
  local bucket = math.floor(now / BUCKET_MS)
  redis.call('HINCRBY', key, bucket, count)
  redis.call('HINCRBY', key, 'sum', count)
  redis.call('HSETNX', key, 'tail', bucket)
  redis.call('HSET', key, 'last', now)
  redis.call('PEXPIRE', key, 2 * WINDOW_MS)
end
