-- account: reads the circuit breaker of a provider's account and what the account has sent lately. It writes nothing.
--
-- KEYS  breaker  account  windows...
-- ARGV  account_limit:int
-- ->    { "closed", "open" or "half-open", the provider's words or "", emails admitted in the last minute }
--
-- account_limit: 0 for none: then there is no window of the account, and those of the campaigns are added up
-- windows: of the campaigns that may have sent something lately
--include breaker
--include clock
--include window
local now = now_ms()
local state = breaker_state(breaker, now)
local why = state ~= 'closed' and redis.call('HGET', breaker, 'why') or ''
local sent = 0
for _, window in ipairs(account_limit > 0 and { account } or windows) do
  sent = sent + window_count(window, now)
end
return { state, why, sent }
