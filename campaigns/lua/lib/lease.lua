-- lease: the workers' heartbeats, and which worker dispatches.
-- For scripts that declare lease, workers, slots and dispatcher, worker_id and own_slots.
--
-- $lease    string with expiry: id of the worker that dispatches
-- $workers  zset: worker id by its last heartbeat (ms)   $slots  hash: worker id -> messages it works on at once
-- $dispatcher  hash: last_round: the last round of any worker (ms); away_until: no worker is taken for dead before (ms)
--include claim_times

--- how long the lease outlives its holder (ms)
local LEASE_MS = 1000

-- sign_of_life(now): this worker lives
local function sign_of_life(now)
  -- no worker has had a round for a while: Redis was away, and a worker that is not back yet is not dead for that
  if now - (tonumber(redis.call('HGET', dispatcher, 'last_round')) or now) > WORKER_DEAD_MS / 2 then
    redis.call('HSET', dispatcher, 'away_until', now + WORKER_DEAD_MS)
  end
  redis.call('HSET', dispatcher, 'last_round', now)
  redis.call('ZADD', workers, now, worker_id)
  redis.call('HSET', slots, worker_id, own_slots)
end

-- take_lease(sleep_ms) -> whether this worker dispatches. The lease outlives the sleep until the next round, so that a
-- notification finds its holder
local function take_lease(sleep_ms)
  local holder = redis.call('GET', lease)
  if holder and holder ~= worker_id then
    return false
  end
  redis.call('SET', lease, worker_id, 'PX', LEASE_MS + sleep_ms)
  return true
end

-- slots_alive(now) -> messages that the living workers work on at once; workers long dead are forgotten
local function slots_alive(now)
  local sum = 0
  local alive = redis.call('ZRANGEBYSCORE', workers, now - WORKER_DEAD_MS, '+inf')
  for _, count in ipairs(#alive > 0 and redis.call('HMGET', slots, unpack(alive)) or {}) do
    sum = sum + (tonumber(count) or 0)
  end
  for _, dead in ipairs(redis.call('ZRANGEBYSCORE', workers, '-inf', now - 60 * WORKER_DEAD_MS)) do
    redis.call('ZREM', workers, dead)
    redis.call('HDEL', slots, dead)
  end
  return sum
end
