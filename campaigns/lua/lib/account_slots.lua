-- account_slots: while several accounts have something to send, none of them takes all of the workers. An account that
-- stops answering in the middle of a campaign holds what it has until its requests time out, and not more.
-- For scripts that declare what dispatch_accounts needs.
--
-- Of each running campaign: $batches  hash: see batches   $in_flight  hash: see claim
--include dispatch_accounts

--- the share of all slots that one account's batches may take
local ACCOUNT_SLOTS = 0.75

local function has_several_accounts(campaigns)
  local first
  for _, c in ipairs(campaigns) do
    if c.requeued + c.ready + c.held > 0 or c.has_more then
      if first and first ~= c.account then
        return true
      end
      first = c.account
    end
  end
  return false
end

local function take_slot(name, now)
  local account = round_account(name, now)
  if account and account.slots_left then
    account.slots_left = account.slots_left - 1
  end
end

-- the account through which a batch of these rows is being sent, or nil where none of them is in flight
local function account_in_work(in_flight, rows)
  local numbers = {}
  for row in string.gmatch(rows, '%d+') do
    numbers[#numbers + 1] = row
  end
  for _, claim in ipairs(#numbers > 0 and redis.call('HMGET', in_flight, unpack(numbers)) or {}) do
    if claim then
      return string.match(claim, '|%d+|(%l[%l%d_-]*)|') or 'default'
    end
  end
  return nil
end

-- count_slots(campaigns, all_slots, now): sets slots_left of each account: how many more of its batches may be on the
-- queue or in work; nil where one account alone has something to send
local function count_slots(campaigns, all_slots, now)
  if not has_several_accounts(campaigns) then
    return
  end
  for _, c in ipairs(campaigns) do
    local account = account_now(c.account, now)
    if account then
      account.slots_left = account.slots_left or math.max(1, math.floor(all_slots * ACCOUNT_SLOTS))
    end
  end
  for _, c in ipairs(campaigns) do
    for _, batch in ipairs(redis.call('HVALS', c.prefix .. 'batches')) do
      local state, rows = string.match(batch, '^(%a)|%d+|([%d,]*)$')
      if state == 'q' then
        local account = account_now(c.account, now)
        take_slot(account and account.name or '', now)
      elseif state == 'a' then
        take_slot(account_in_work(c.prefix .. 'in_flight', rows) or '', now)
      end
    end
  end
end
