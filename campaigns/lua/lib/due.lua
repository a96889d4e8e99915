-- due: duties that come due whether campaigns run or not: lists whose parser is lost, claims of dead workers.
-- For scripts that declare running, dispatcher, workers, parsing and claims, key_prefix and claim_lost_ms.
--
-- $parsing  zset: campaign by its parser's last sign of life (ms)
-- $claims   zset: campaign, in whatever state, by when its rows in flight are looked at next (ms)
--include claim_times
--include claims
--include parser_life

--- campaigns whose claims one round looks at
local MOST_LOOKS = 100

-- lost_parsers(now) -> ids of the campaigns whose list another parser shall take; each is named once in PARSER_LOST_MS
local function lost_parsers(now)
  local ids = redis.call('ZRANGEBYSCORE', parsing, '-inf', now - PARSER_LOST_MS)
  for _, id in ipairs(ids) do
    redis.call('ZADD', parsing, now, id)
  end
  return ids
end

-- expires claims of a campaign, and adds { id, rows } to found where there were any -> whether rows are left in flight
local function look_at_claims(id, now, found)
  local k = { running = running, dispatcher = dispatcher, workers = workers }
  for _, name in ipairs({ 'campaign', 'progress', 'in_flight', 'unknown', 'reasons', 'done', 'failed' }) do
    k[name] = key_prefix .. ':{' .. id .. '}:' .. name
  end
  local _, expired = expire_claims(k, id, claim_lost_ms, now)
  if expired > 0 then
    found[#found + 1] = { id, expired }
  end
  return redis.call('EXISTS', k.in_flight) == 1
end

-- expire_due_claims(now) -> { id, rows } of each campaign of which rows in flight are unknown now
local function expire_due_claims(now)
  local found = {}
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', claims, '-inf', now, 'LIMIT', 0, MOST_LOOKS)) do
    -- a campaign whose keys Redis refuses delays no other; the next look includes it
    local looked, some_left = pcall(look_at_claims, id, now, found)
    if some_left or not looked then
      redis.call('ZADD', claims, now + CLAIMS_LOOK_MS, id)
    else
      redis.call('ZREM', claims, id)
    end
  end
  return found
end
