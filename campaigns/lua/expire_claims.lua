-- expire_claims: rows in flight that nobody will settle any more become unknown (see lib/claims).
--
-- KEYS  1 campaign  2 progress  3 flight  4 unknown  5 running  6 workers  7 reasons  8 done  9 failed  10 ring
-- ARGV  1 campaign id  2 generation  3 silence after which a worker is dead (ms)  4 age at which any claim is given up (ms)
-- ->    { rows in flight that were looked at, rows that are unknown now }
--include clock
--include finish
--include claims
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[2] then
  return { 0, 0 }
end
local k = { campaign = KEYS[1], progress = KEYS[2], flight = KEYS[3], unknown = KEYS[4], running = KEYS[5], workers = KEYS[6],
  reasons = KEYS[7], done = KEYS[8], failed = KEYS[9], ring = KEYS[10] }
return { expire_claims(k, ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4]), now_ms()) }
