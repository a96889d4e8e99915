-- domains: limits by the recipients' domain, over all campaigns.
--
-- Of each limited domain, while it is in use: a window (see window) with two more fields, tokens and paced_at: its
-- pace.
--
-- domain_limit(limits, domain) -> its limit in transactions per minute, or nil; "*" stands for every domain not named,
-- each by itself
local function domain_limit(limits, domain)
  return limits[domain] or limits['*']
end

-- domain_of(recipient) -> the domain of [row,"address",...], in lower case
local function domain_of(recipient)
  return string.lower(string.match(recipient, '^%[%d+,"[^"]*@([^"@]+)"') or '')
end
