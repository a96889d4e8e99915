-- breaker_changes: what the provider's answers do to a circuit breaker (see breaker).

--- the shortest and the longest time for which trouble opens a breaker (ms), where the provider names none. The longest
--- bounds how long the end of an outage goes unnoticed
local BREAKER_MIN_MS = 500
local BREAKER_MAX_MS = 4000
local BREAKER_SLOT_MS = 15000
local BREAKER_FAILING_MS = 30000
--- how many different recipients must fail before the trouble is the provider's and not theirs
local BREAKER_TROUBLE_ROWS = 20
--- the provider works for the others if it has accepted an email of theirs in this time (ms)
local BREAKER_WELL_MS = 10000

-- breaker_trip(key, now, wait_ms or nil, why) -> whether it was closed: open it. Answers to requests that were sent
-- before it opened do not count as further trouble, but may lengthen the wait for which the provider asks
local function breaker_trip(key, now, wait_ms, why)
  local breaker = redis.call('HMGET', key, 'level', 'until', 'since')
  local level, open_until = tonumber(breaker[1]) or 0, tonumber(breaker[2]) or 0
  if level > 0 and now < open_until then
    if wait_ms and now + wait_ms > open_until then
      redis.call('HSET', key, 'until', now + wait_ms)
    end
    return false
  end
  wait_ms = wait_ms or math.min(BREAKER_MAX_MS, BREAKER_MIN_MS * 2 ^ math.min(level, 16))
  redis.call('HSET', key, 'level', level + 1, 'until', now + wait_ms, 'probe_until', 0, 'why', why,
    'since', level > 0 and breaker[3] or now)
  return level == 0
end

-- note_successes(key, now, count): the provider accepted count emails
local function note_successes(key, now, count)
  local slot = math.floor(now / BREAKER_SLOT_MS)
  local breaker = redis.call('HMGET', key, 'ok_slot', 'ok_now')
  if tonumber(breaker[1]) == slot then
    redis.call('HINCRBY', key, 'ok_now', count)
  else
    local before = tonumber(breaker[1]) == slot - 1 and breaker[2] or 0
    redis.call('HSET', key, 'ok_slot', slot, 'ok_now', count, 'ok_before', before)
  end
end

-- breaker_close(key, now): the provider accepts emails, so a breaker whose time is over closes
local function breaker_close(key, now)
  local breaker = redis.call('HMGET', key, 'level', 'until')
  if (tonumber(breaker[1]) or 0) > 0 and now >= (tonumber(breaker[2]) or 0) then
    redis.call('HDEL', key, 'level', 'until', 'probe_until', 'since', 'why')
  end
end

-- breaker_probe_over(key): its probe has returned, and the answer was about another breaker
local function breaker_probe_over(key)
  if redis.call('HEXISTS', key, 'probe_until') == 1 then
    redis.call('HSET', key, 'probe_until', 0)
  end
end

-- what older credentials have left
local function drop_acceptances(key, but)
  for _, field in ipairs(redis.call('HKEYS', key)) do
    if string.sub(field, 1, 9) == 'accepted:' and field ~= but then
      redis.call('HDEL', key, field)
    end
  end
end

-- note_success_of(key, now, campaign_id, fingerprint): the campaign whose emails were accepted, with which credentials
-- -> whether the account was cold
local function note_success_of(key, now, campaign_id, fingerprint)
  local accepted = 'accepted:' .. fingerprint
  local last = redis.call('HMGET', key, 'ok_by', 'ok_at', accepted, 'refused_by')
  if last[1] == campaign_id then
    redis.call('HSET', key, 'ok_at', now, accepted, now)
  else
    redis.call('HSET', key, 'ok_by', campaign_id, 'ok_at', now, 'ok_else', last[2] or 0, accepted, now)
  end
  if last[4] then
    redis.call('HDEL', key, 'refused_by', 'refusals')
  end
  local was_cold = now - (tonumber(last[3]) or 0) > COLD_MS
  if was_cold then
    redis.call('HDEL', key, 'probe_until')
    drop_acceptances(key, accepted)
  end
  return was_cold
end

-- recent_successes(key, now) -> emails accepted in the last 15 to 30 s
local function recent_successes(key, now)
  local ok = redis.call('HMGET', key, 'ok_slot', 'ok_now', 'ok_before')
  local age = math.floor(now / BREAKER_SLOT_MS) - (tonumber(ok[1]) or -9)
  if age == 0 then
    return (tonumber(ok[2]) or 0) + (tonumber(ok[3]) or 0)
  end
  return age == 1 and tonumber(ok[2]) or 0
end

-- others_succeed(key, failing, own_key, own_failing, now, campaign_id) -> whether the provider works for the other
-- campaigns
local function others_succeed(key, failing, own_key, own_failing, now, campaign_id)
  local last = redis.call('HMGET', key, 'ok_by', 'ok_at', 'ok_else')
  local accepted_at = tonumber(last[1] == campaign_id and last[3] or last[2]) or 0
  if now - accepted_at > BREAKER_WELL_MS then
    return false
  end
  local failed = math.max(0, redis.call('ZCARD', failing) - redis.call('ZCARD', own_failing))
  return failed * 10 < failed + recent_successes(key, now) - recent_successes(own_key, now)
end

-- is_provider_trouble(key, failing, now, member) -> whether this failure is the provider's trouble: its breaker is not
-- closed, or many recipients fail, and a tenth or more of all; false where it may be this recipient's alone
local function is_provider_trouble(key, failing, now, member)
  redis.call('ZADD', failing, now, member)
  redis.call('ZREMRANGEBYSCORE', failing, '-inf', now - BREAKER_FAILING_MS)
  redis.call('PEXPIRE', failing, BREAKER_FAILING_MS)
  if (tonumber(redis.call('HGET', key, 'level')) or 0) > 0 then
    return true
  end
  local failed = redis.call('ZCARD', failing)
  if failed < BREAKER_TROUBLE_ROWS then
    return false
  end
  return failed * 10 >= failed + recent_successes(key, now)
end
