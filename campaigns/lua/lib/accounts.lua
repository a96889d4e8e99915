-- accounts: the provider accounts that this process knows, and through which of them a campaign sends now.
-- For scripts that declare accounts (JSON), fallback_after_ms and key_prefix.
--
-- accounts: name -> { scope in keys, limit per minute or 0, name of its fallback or "", fingerprint of its
--           credentials }
--
-- While an account's breaker has been open for longer than fallback_after_ms, its campaigns send through its fallback,
-- within that one's limits and by its breaker. The account itself is tried with one row at a time, as ever. Its
-- campaigns return to it once it accepts one.
--
-- $breaker  hash: see breaker   $window  hash: see window
--include breaker

local accounts_read = {}

-- account_named(name, now) -> the account, or nil where this process does not know it: name, breaker, window,
-- domain_prefix, fingerprint: see above; limit; keeps_window: whether its window counts; state, open_ms: see breaker;
-- has_trouble: its breaker is not closed because of trouble;
-- fallback: a name, or nil; gives_way: whether its fallback sends; why: the provider's words
local function account_named(name, now)
  local known = accounts[name]
  if not known or accounts_read[name] then
    return accounts_read[name]
  end
  local scope, fallback, fingerprint = known[1], known[3] ~= '' and known[3] or nil, known[4]
  local breaker = key_prefix .. ':breaker:' .. scope
  local b = redis.call('HMGET', breaker, 'level', 'until', 'probe_until', 'since', 'why', 'accepted:' .. fingerprint)
  local level = tonumber(b[1]) or 0
  local state, open_ms = state_of(level, b[2], b[3], now - (tonumber(b[6]) or 0) > COLD_MS, now)
  accounts_read[name] = {
    name = name, breaker = breaker, window = key_prefix .. ':account:' .. scope, scope = scope,
    domain_prefix = key_prefix .. ':domain:' .. scope .. ':', fingerprint = fingerprint,
    limit = known[2], keeps_window = known[2] > 0 or next(accounts, (next(accounts))) ~= nil,
    state = state, open_ms = open_ms, fallback = fallback, why = b[5],
    has_trouble = level > 0,
    gives_way = fallback ~= nil and level > 0 and now - (tonumber(b[4]) or now) > fallback_after_ms,
  }
  return accounts_read[name]
end

-- account_for(name, may_probe, now) -> through which account a campaign of the account of this name sends, or nil where
-- this process does not know it; may_probe(account): whether the row may try an account that gives way. If all that
-- could send give way to each other, the campaign waits for its own account
local function account_for(name, may_probe, now)
  local own, passed = account_named(name, now), {}
  local account = own
  while account and account.gives_way and not (account.state == 'half-open' and may_probe(account)) do
    passed[account.name] = true
    if passed[account.fallback] then
      return own
    end
    account = account_named(account.fallback, now)
  end
  return account
end
