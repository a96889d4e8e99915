-- lease: the workers' signs of life, and which worker releases.
-- For scripts that declare lease, workers, slots and ring, worker_id and own_slots.
--
-- $lease    string with expiry: id of the worker that releases
-- $workers  zset: worker id by its last heartbeat (ms)   $slots  hash: worker id -> messages it works on at once
-- $ring     hash: ticked: the last tick of any worker (ms); away_until: up to then (ms) no worker is taken for dead
--include claim_times

--- how long the lease outlives its holder (ms)
local LEASE_MS = 1000

-- sign_of_life(now): this worker lives
local function sign_of_life(now)
  -- no worker has ticked for a while: Redis was away, and a worker that has not come back yet is not dead for that
  if now - (tonumber(redis.call('HGET', ring, 'ticked')) or now) > WORKER_DEAD_MS / 2 then
    redis.call('HSET', ring, 'away_until', now + WORKER_DEAD_MS)
  end
  redis.call('HSET', ring, 'ticked', now)
  redis.call('ZADD', workers, now, worker_id)
  redis.call('HSET', slots, worker_id, own_slots)
end

-- take_lease(sleep_ms) -> whether this worker releases. The lease outlives the sleep until the next tick, so that a
-- ring finds its holder
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
