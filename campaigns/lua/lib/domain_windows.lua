-- domain_windows: counts what a call admits to each limited domain.
-- For scripts that declare limits.
--include window
--include domains

local admitted = {}

-- domain_admits(windows, domain or nil, now) -> whether one more email may go to the domain; counts it where it may
-- windows: the prefix of the account's windows
local function domain_admits(windows, domain, now)
  local limit = limits and domain_limit(limits, domain)
  if not limit then
    return true
  end
  local d = admitted[domain]
  if not d then
    d = { key = windows .. domain, count = 0 }
    d.used, d.now = window_used(d.key, now)
    admitted[domain] = d
  end
  if d.used + d.count >= limit then
    return false
  end
  d.count = d.count + 1
  return true
end

-- save_domain_windows(): after the last email
local function save_domain_windows()
  for _, d in pairs(admitted) do
    if d.count > 0 then
      window_add(d.key, d.now, d.count)
    end
  end
end
