-- window: a strict sliding window of 60 s, counted in buckets of 100 ms, the oldest one counted in full.
--
-- $window  hash: <bucket number> -> admissions in it; sum: of all buckets kept; tail: the oldest bucket that may be
--          kept; last: the latest time seen (ms), so that a clock that steps back cannot open the window.
--
-- A bucket leaves the window only when the whole of it is older than 60 s, so no 60 s whatever, aligned or not, hold
-- more than was allowed; the price is up to 100 ms in 60 s, 0.17 % of the allowance.
local BUCKET_MS = 100
local WINDOW_MS = 60000

-- window_used(key, now) -> admissions within the last 60 s, the time to reckon with (never before the last one seen)
local function window_used(key, now)
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
    redis.call('DEL', key)
    return 0, now
  end
  local buckets = {}
  for bucket = tail, oldest - 1 do
    buckets[#buckets + 1] = bucket
  end
  for _, count in ipairs(redis.call('HMGET', key, unpack(buckets))) do
    sum = sum - (tonumber(count) or 0)
  end
  redis.call('HDEL', key, unpack(buckets))
  redis.call('HSET', key, 'sum', sum, 'tail', oldest)
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
