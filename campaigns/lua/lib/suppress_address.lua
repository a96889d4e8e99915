-- suppress_address: adds an address to the suppression list, or removes it.
-- For scripts that declare suppressions and suppressions_journal.
--
-- $suppressions_journal  list: records that are not in the object store yet, "hash<tab>seq<tab>ms<tab>reason<tab>
--                        address<tab>note"; seq grows by one with each record
--include suppression_buckets
--include suppression_decisions

local function suppression_add_all(bucket, hashes)
  for first = 1, #hashes, SUPPRESSION_VALUES do
    redis.call('SADD', bucket, unpack(hashes, first, math.min(first + SUPPRESSION_VALUES - 1, #hashes)))
  end
end

-- suppression_split(class, buckets, level): moves about half of one bucket to a new one
local function suppression_split(class, buckets, level)
  local number = buckets - level
  local from, stay, move = suppression_bucket_key(class, number), {}, {}
  for _, hash in ipairs(redis.call('SMEMBERS', from)) do
    local side = suppression_place(hash, level * 2) == number and stay or move
    side[#side + 1] = hash
  end
  redis.call('DEL', from)
  suppression_add_all(from, stay)
  suppression_add_all(suppression_bucket_key(class, buckets), move)
  redis.call('HINCRBY', suppressions, class .. '_buckets', 1)
end

local function suppression_record(hash, reason, address, note, clock)
  local seq = redis.call('HINCRBY', suppressions, 'seq', 1)
  local record = { hash, seq, string.format('%d', clock), reason, address, note }
  redis.call('RPUSH', suppressions_journal, table.concat(record, '\t'))
end

-- suppression_put(hash, reason) -> whether the list did not have it in the reason's class yet. Writes no record
local function suppression_put(hash, reason)
  local class = SUPPRESSION_CLASS[reason]
  local buckets = tonumber(redis.call('HGET', suppressions, class .. '_buckets'))
  if not buckets then
    buckets = 1
    redis.call('HSET', suppressions, class .. '_buckets', 1)
  end
  local level = suppression_level(buckets)
  if redis.call('SADD', suppression_bucket(class, buckets, level, hash), hash) == 0 then
    return false
  end
  if redis.call('HINCRBY', suppressions, class .. '_entries', 1) > buckets * SUPPRESSION_BUCKET_ENTRIES then
    suppression_split(class, buckets, level)
  end
  return true
end

-- suppress_address(hash, reason, address, note, at) -> whether the list did not have it in the reason's class yet
-- at: when the reason came about (ms). A recipient who has subscribed again since then has not unsubscribed
local function suppress_address(hash, reason, address, note, at)
  if reason == 'unsubscribed' and not is_last_decision(hash, at, true) then
    return false
  end
  if not suppression_put(hash, reason) then
    return false
  end
  suppression_record(hash, reason, address, note, at)
  return true
end

local function remove_from_class(hash, class)
  local buckets = tonumber(redis.call('HGET', suppressions, class .. '_buckets')) or 1
  local bucket = suppression_bucket(class, buckets, suppression_level(buckets), hash)
  local removed = redis.call('SREM', bucket, hash) == 1
  if removed then
    redis.call('HINCRBY', suppressions, class .. '_entries', -1)
  end
  return removed
end

-- release_address(hash, address, note, clock) -> whether the list had it. note: why it is removed
local function release_address(hash, address, note, clock)
  local removed = false
  for _, class in ipairs(SUPPRESSION_CLASSES) do
    removed = remove_from_class(hash, class) or removed
  end
  if removed then
    suppression_record(hash, 'removed', address, note, clock)
  end
  return removed
end

-- resubscribe_address(hash, address, at) -> whether the list had it as unsubscribed. Its other entries stay. A
-- recipient who has unsubscribed since then stays unsubscribed
local function resubscribe_address(hash, address, at)
  if not is_last_decision(hash, at, false) or not remove_from_class(hash, 'unsubscribed') then
    return false
  end
  suppression_record(hash, 'resubscribed', address, '', at)
  return true
end
