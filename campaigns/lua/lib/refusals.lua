-- refusals: the provider refuses the account, or what the campaign asks of it.
-- For scripts that declare what trouble needs, and account, has_fallback, running and key_prefix.
--
-- $breaker  hash: refused_by: the campaign that was refused last; refusals: how many campaigns in a row were refused
--           since the account last accepted an email
--include pause
--include trouble

--- the longest wait between two tries of an account that refuses (ms)
local REFUSED_MAX_MS = 600000
--- after how many refused campaigns in a row all campaigns of the account pause
local REFUSED_CAMPAIGNS = 3

local function pause_if_running(key, id, reason)
  if redis.call('HGET', key, 'status') == 'running' then
    pause_for(key, running, id, reason)
  end
end

local function pause_account(reason)
  for _, id in ipairs(redis.call('SMEMBERS', running)) do
    local key = key_prefix .. ':{' .. id .. '}:campaign'
    local its_account = redis.pcall('HGET', key, 'account')
    if its_account == account or (not its_account and account == 'default') then
      pause_if_running(key, id, reason)
    end
  end
end

-- handle_refusal(now, reason): the campaign pauses. Where the account accepts nothing from others either, it is tried
-- with one row from now on; one that has a fallback opens its breaker instead, so that its campaigns go on
local function handle_refusal(now, reason)
  probes_unanswered()
  if others_succeed(breaker, failing, own_breaker, own_failing, now, campaign_id) then
    return pause_if_running(campaign, campaign_id, reason)
  end
  redis.call('HDEL', breaker, 'accepted:' .. fingerprint)
  if has_fallback then
    local level = tonumber(redis.call('HGET', breaker, 'level')) or 0
    return trip_breaker(breaker, now, math.min(REFUSED_MAX_MS, BREAKER_MIN_MS * 2 ^ math.min(level, 16)), reason)
  end
  if redis.call('HGET', breaker, 'refused_by') ~= campaign_id then
    redis.call('HSET', breaker, 'refused_by', campaign_id)
    redis.call('HINCRBY', breaker, 'refusals', 1)
  end
  pause_if_running(campaign, campaign_id, reason)
  if tonumber(redis.call('HGET', breaker, 'refusals')) >= REFUSED_CAMPAIGNS then
    pause_account(reason)
  end
end
