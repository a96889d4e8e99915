-- migrate_1_to_2: renames the keys and the hash fields of schema 1 to those of schema 2, in one step.
--
-- KEYS  schema  workers  campaigns
-- ARGV  key_prefix  check_only:flag
-- ->    "migrated"; "idle": it may be migrated; "in use": a worker of schema 1 lives, and nothing is changed; or the
--       version found, where it is not 1
--
-- check_only: change nothing
--
-- No worker of schema 1 may be alive, because it would continue with the old names.
--include clock
--include claim_times
local found = redis.call('GET', schema)
if found ~= '1' then
  return found or ''
end
if redis.call('ZCOUNT', workers, now_ms() - WORKER_DEAD_MS, '+inf') > 0 then
  return 'in use'
end
if check_only then
  return 'idle'
end

local CAMPAIGN_KEYS = { skip = 'rejected', again = 'refeed', waiting = 'ready', deferred = 'requeued', parked = 'held',
  runs = 'batches', flight = 'in_flight', gate = 'breaker' }
local PROGRESS_FIELDS = { again = 'refeed', waiting_bytes = 'ready_bytes', feed_asked = 'prefetch_asked',
  asked_at = 'prefetch_asked_at', feed_after = 'prefetch_after', fed_row = 'prefetched_row', turn = 'vtime',
  parked = 'held', deferrals = 'requeues' }

local function rename_key(from, to)
  if redis.call('EXISTS', from) == 1 then
    redis.call('RENAME', from, to)
  end
end

-- a key of another type stays, and Redis refuses it as before
local function rename_fields(key, names)
  if redis.call('TYPE', key).ok ~= 'hash' then
    return
  end
  local from, old, new = {}, {}, {}
  for name in pairs(names) do
    from[#from + 1] = name
  end
  for i, value in ipairs(redis.call('HMGET', key, unpack(from))) do
    if value then
      old[#old + 1] = from[i]
      new[#new + 1] = names[from[i]]
      new[#new + 1] = value
    end
  end
  if #old > 0 then
    redis.call('HSET', key, unpack(new))
    redis.call('HDEL', key, unpack(old))
  end
end

local function migrate_campaign(prefix)
  local parked = prefix .. 'parked'
  if redis.call('TYPE', parked).ok == 'zset' then
    for _, domain in ipairs(redis.call('ZRANGE', parked, 0, -1)) do
      rename_key(parked .. ':' .. domain, prefix .. 'held:' .. domain)
    end
  end
  for from, to in pairs(CAMPAIGN_KEYS) do
    rename_key(prefix .. from, prefix .. to)
  end
  rename_fields(prefix .. 'campaign', { generation = 'list_version' })
  rename_fields(prefix .. 'progress', PROGRESS_FIELDS)
end

for _, id in ipairs(redis.call('ZRANGE', campaigns, 0, -1)) do
  migrate_campaign(key_prefix .. ':{' .. id .. '}:')
end
local gate, cursor = key_prefix .. ':gate:', '0'
repeat
  local page = redis.call('SCAN', cursor, 'MATCH', gate .. '*', 'COUNT', 1000)
  for _, key in ipairs(page[2]) do
    rename_key(key, key_prefix .. ':breaker:' .. string.sub(key, #gate + 1))
  end
  cursor = page[1]
until cursor == '0'
rename_key(key_prefix .. ':ring', key_prefix .. ':dispatcher')
rename_fields(key_prefix .. ':dispatcher', { ticked = 'last_round' })
redis.call('DEL', key_prefix .. ':release')
redis.call('SET', schema, '2')
return 'migrated'
