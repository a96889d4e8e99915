-- suppression_decisions: which came last for an address, "unsubscribe" or "subscribe again". Providers report both
-- late, several times and in any order, so that the time of the decision counts and not that of the report.
-- For scripts that declare suppressions.
--
-- $suppressions:decisions  zset: hash by 2 * (when it was decided, ms), plus 1 for "unsubscribe", which counts if both
--                          were decided at the same time. The latest of many addresses are kept
-- $suppressions            hash: decided_to: the score of the latest decision that is not kept any more

-- How many addresses' decisions are kept, at about 100 bytes each.
local SUPPRESSION_DECISIONS = 50000

-- is_last_decision(hash, at, unsubscribes) -> whether no later decision of the address is known. What is not known any
-- more is an "unsubscribe"
local function is_last_decision(hash, at, unsubscribes)
  local decisions = suppressions .. ':decisions'
  local score = 2 * at + (unsubscribes and 1 or 0)
  local known = tonumber(redis.call('ZSCORE', decisions, hash))
  if known and score < known then
    return false
  end
  if not known and not unsubscribes and score <= (tonumber(redis.call('HGET', suppressions, 'decided_to')) or 0) then
    return false
  end
  redis.call('ZADD', decisions, string.format('%d', score), hash)
  if redis.call('ZCARD', decisions) > SUPPRESSION_DECISIONS then
    local oldest = redis.call('ZPOPMIN', decisions)
    redis.call('HSET', suppressions, 'decided_to', string.format('%d', tonumber(oldest[2])))
  end
  return true
end
