-- gate_changes: what the provider's answers tell a gate (see gate).

--- the shortest and the longest time for which trouble closes a gate (ms), where the provider names none. The longest
--- bounds how long it takes until an outage that has ended is noticed
local GATE_MIN_MS = 500
local GATE_MAX_MS = 4000
local GATE_SLOT_MS = 15000
local GATE_FAILING_MS = 30000
--- how many different recipients must fail before it is the provider's trouble and not theirs
local GATE_TROUBLE_ROWS = 20
--- how long ago (ms) others' mails may have been accepted for the provider to be well
local GATE_WELL_MS = 10000

-- gate_close(key, now, wait_ms or nil, why): trouble; answers that were on their way when the gate closed do not
-- count as further trouble, but may lengthen the wait that the provider asks for
local function gate_close(key, now, wait_ms, why)
  local gate = redis.call('HMGET', key, 'level', 'until', 'since')
  local level, closed_until = tonumber(gate[1]) or 0, tonumber(gate[2]) or 0
  if level > 0 and now < closed_until then
    if wait_ms and now + wait_ms > closed_until then
      redis.call('HSET', key, 'until', now + wait_ms)
    end
    return
  end
  wait_ms = wait_ms or math.min(GATE_MAX_MS, GATE_MIN_MS * 2 ^ math.min(level, 16))
  redis.call('HSET', key, 'level', level + 1, 'until', now + wait_ms, 'probe_until', 0, 'why', why,
    'since', level > 0 and gate[3] or now)
end

-- gate_passed(key, now, count): the provider took count mails
local function gate_passed(key, now, count)
  local slot = math.floor(now / GATE_SLOT_MS)
  local gate = redis.call('HMGET', key, 'ok_slot', 'ok_now')
  if tonumber(gate[1]) == slot then
    redis.call('HINCRBY', key, 'ok_now', count)
  else
    local before = tonumber(gate[1]) == slot - 1 and gate[2] or 0
    redis.call('HSET', key, 'ok_slot', slot, 'ok_now', count, 'ok_before', before)
  end
end

-- gate_open(key, now): the provider takes mails, so a gate whose time is over opens
local function gate_open(key, now)
  local gate = redis.call('HMGET', key, 'level', 'until')
  if (tonumber(gate[1]) or 0) > 0 and now >= (tonumber(gate[2]) or 0) then
    redis.call('HDEL', key, 'level', 'until', 'probe_until', 'since', 'why')
  end
end

-- gate_probed(key): a probe of it has come back and told something about another gate alone
local function gate_probed(key)
  if redis.call('HEXISTS', key, 'level') == 1 then
    redis.call('HSET', key, 'probe_until', 0)
  end
end

-- gate_passed_of(key, now, campaign_id): whose mails they were
local function gate_passed_of(key, now, campaign_id)
  local last = redis.call('HMGET', key, 'ok_by', 'ok_at')
  if last[1] == campaign_id then
    redis.call('HSET', key, 'ok_at', now)
  else
    redis.call('HSET', key, 'ok_by', campaign_id, 'ok_at', now, 'ok_else', last[2] or 0)
  end
end

-- gate_passes(key, now) -> mails accepted in the last 15 to 30 s
local function gate_passes(key, now)
  local ok = redis.call('HMGET', key, 'ok_slot', 'ok_now', 'ok_before')
  local age = math.floor(now / GATE_SLOT_MS) - (tonumber(ok[1]) or -9)
  if age == 0 then
    return (tonumber(ok[2]) or 0) + (tonumber(ok[3]) or 0)
  end
  return age == 1 and tonumber(ok[2]) or 0
end

-- gate_others_pass(key, failing, own_key, own_failing, now, campaign_id) -> whether the provider is well for the other
-- campaigns
local function gate_others_pass(key, failing, own_key, own_failing, now, campaign_id)
  local last = redis.call('HMGET', key, 'ok_by', 'ok_at', 'ok_else')
  local passed_at = tonumber(last[1] == campaign_id and last[3] or last[2]) or 0
  if now - passed_at > GATE_WELL_MS then
    return false
  end
  local failed = math.max(0, redis.call('ZCARD', failing) - redis.call('ZCARD', own_failing))
  return failed * 10 < failed + gate_passes(key, now) - gate_passes(own_key, now)
end

-- gate_troubled(key, failing, now, member) -> whether this failure is the provider's trouble: it is in trouble already,
-- or many recipients fail, and a tenth or more of all; false where it may be this recipient's own
local function gate_troubled(key, failing, now, member)
  redis.call('ZADD', failing, now, member)
  redis.call('ZREMRANGEBYSCORE', failing, '-inf', now - GATE_FAILING_MS)
  redis.call('PEXPIRE', failing, GATE_FAILING_MS)
  if (tonumber(redis.call('HGET', key, 'level')) or 0) > 0 then
    return true
  end
  local failed = redis.call('ZCARD', failing)
  if failed < GATE_TROUBLE_ROWS then
    return false
  end
  return failed * 10 >= failed + gate_passes(key, now)
end
