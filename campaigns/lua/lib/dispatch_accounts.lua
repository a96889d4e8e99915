-- dispatch_accounts: the accounts as one round of the dispatcher handles them: how many more emails each may send now.
-- For scripts that declare dispatcher, and what lease and accounts need.
--
-- $dispatcher  hash: tokens, paced_at: the pace of the account default; tokens:<scope>, paced_at:<scope>: of another
--include accounts
--include lease
--include pace
--include window

local round_accounts = {}

local function pace_fields(account)
  local suffix = account.name == 'default' and '' or ':' .. account.scope
  return 'tokens' .. suffix, 'paced_at' .. suffix
end

-- round_account(name, now) -> the account with left: the emails that it may send now; tokens: of its pace; probed: its
-- one row of this round is dispatched; ignorant: a living worker that does not know it, or nil. Nil where this process
-- does not know it
local function round_account(name, now)
  local account = account_named(name, now)
  if not account or round_accounts[name] then
    return account
  end
  round_accounts[name] = account
  account.tokens, account.left, account.ignorant = 0, math.huge, ignorant_worker(name)
  if account.limit > 0 then
    local before = redis.call('HMGET', dispatcher, pace_fields(account))
    account.tokens = pace_refill(account.limit, before[1], before[2], now)
    account.left = math.min(math.floor(account.tokens), account.limit - window_used(account.window, now))
  end
  return account
end

local function is_not_probed(account)
  return not account.probed
end

-- account_now(name, now) -> as account_for, for the next batch of this round
local function account_now(name, now)
  local account = round_account(name, now)
  if account and account.gives_way then
    account = account_for(name, is_not_probed, now)
    return account and round_account(account.name, now)
  end
  return account
end

-- may_send(account) -> whether a batch may go through it in this round; slots_left: see account_slots
local function may_send(account)
  local is_ready = account.state == 'closed' or account.state == 'half-open' and not account.probed
  return is_ready and account.left >= 1 and (account.slots_left or 1) > 0
end

-- save_paces(now): after the last batch
local function save_paces(now)
  for _, account in pairs(round_accounts) do
    if account.limit > 0 then
      local tokens, paced_at = pace_fields(account)
      redis.call('HSET', dispatcher, tokens, string.format('%.4f', account.tokens), paced_at, now)
    end
  end
end
