-- lease: the workers' heartbeats, and which worker dispatches.
-- For scripts that declare lease, workers, slots, worker_accounts and dispatcher, worker_id, own_slots and
-- own_accounts.
--
-- $lease    string with expiry: id of the worker that dispatches
-- $workers  zset: worker id by its last heartbeat (ms)   $slots  hash: worker id -> messages it works on at once
-- $worker_accounts  hash: worker id -> the accounts that it knows, ",default,news,"
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
  redis.call('HSET', worker_accounts, worker_id, own_accounts)
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

local alive = {}

-- slots_alive(now) -> messages that the living workers work on at once; workers long dead are forgotten
local function slots_alive(now)
  local sum = 0
  alive = redis.call('ZRANGEBYSCORE', workers, now - WORKER_DEAD_MS, '+inf')
  for _, count in ipairs(#alive > 0 and redis.call('HMGET', slots, unpack(alive)) or {}) do
    sum = sum + (tonumber(count) or 0)
  end
  for _, dead in ipairs(redis.call('ZRANGEBYSCORE', workers, '-inf', now - 60 * WORKER_DEAD_MS)) do
    redis.call('ZREM', workers, dead)
    redis.call('HDEL', slots, dead)
    redis.call('HDEL', worker_accounts, dead)
  end
  return sum
end

-- ignorant_worker(account) -> a living worker that does not know the account, or nil; after slots_alive. A worker of a
-- version without accounts knows the default one
local function ignorant_worker(account)
  if account == 'default' or #alive == 0 then
    return nil
  end
  for i, known in ipairs(redis.call('HMGET', worker_accounts, unpack(alive))) do
    if not string.find(known or '', ',' .. account .. ',', 1, true) then
      return alive[i]
    end
  end
  return nil
end
