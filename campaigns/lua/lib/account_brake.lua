-- account_brake: pauses all running campaigns of an account whose bounces or complaints of the last hours pass the
-- server's limits.
--
-- $campaign  hash: account ("default" where it is missing); braked_for: the key of the account's figures, where the
--            account's brake holds the campaign
-- key_prefix:reputation:<account>  hash with expiry: <slot>|delivered, <slot>|bounced, <slot>|complained: recipients
--            reported in a slot of 15 minutes
--include brake
--include clock

local REPUTATION_SLOT_MS = 900000

-- nil for a campaign whose hash cannot be read
local function account_of(campaign)
  local account = redis.pcall('HGET', campaign, 'account')
  if type(account) == 'table' then
    return nil
  end
  return account or 'default'
end

-- reputation_counts(key, hours, now) -> { delivered, bounced, complained } within the hours; what is older is dropped
local function reputation_counts(key, hours, now)
  local oldest = math.floor((now - hours * 3600000) / REPUTATION_SLOT_MS)
  local sums, old = { delivered = 0, bounced = 0, complained = 0 }, {}
  local found = redis.call('HGETALL', key)
  for at = 1, #found, 2 do
    local slot, kind = string.match(found[at], '^(%d+)|(%a+)$')
    if tonumber(slot) < oldest then
      old[#old + 1] = found[at]
    else
      sums[kind] = sums[kind] + tonumber(found[at + 1])
    end
  end
  if #old > 0 then
    redis.call('HDEL', key, unpack(old))
  end
  return sums
end

-- account_verdict(limits, sums, hours) -> why the account's brake acts, or nil; limits as in brake. The percentages are
-- of the emails reported as delivered or bounced
local function account_verdict(limits, sums, hours)
  local of = sums.delivered + sums.bounced
  if sums.delivered == 0 or of < limits[3] then
    return nil
  end
  local within = string.format(' within %d h', hours)
  return brake_words(sums.bounced, of, 'bounced' .. within, limits[1])
    or brake_words(sums.complained, of, 'complained' .. within, limits[2])
end

-- apply_account_brake(campaign, counts, account_brake) -> why the account's brake acts, or ""
-- counts: recipients that have been marked now, by kind; account_brake: bounce_pct, complaint_pct, after, hours
local function apply_account_brake(campaign, counts, account_brake, running, key_prefix)
  local account, now = account_of(campaign), now_ms()
  local key = key_prefix .. ':reputation:' .. account
  local slot, counted = math.floor(now / REPUTATION_SLOT_MS), 0
  for kind, count in pairs(counts) do
    if count > 0 then
      redis.call('HINCRBY', key, string.format('%d|%s', slot, kind), count)
      counted = counted + count
    end
  end
  if counted == 0 then
    return ''
  end
  redis.call('PEXPIRE', key, account_brake.hours * 3600000 + REPUTATION_SLOT_MS)
  local limits = { account_brake.bounce_pct or false, account_brake.complaint_pct or false, account_brake.after }
  local words = account_verdict(limits, reputation_counts(key, account_brake.hours, now), account_brake.hours)
  if not words then
    return ''
  end
  local why = 'over all campaigns of the account ' .. account .. ', ' .. words
  for _, id in ipairs(redis.call('SMEMBERS', running)) do
    local other = key_prefix .. ':{' .. id .. '}:campaign'
    if account_of(other) == account and not is_beyond_brake(other) then
      hold_by_brake(other, running, id, why)
      redis.call('HSET', other, 'braked_for', key)
    end
  end
  return why
end
