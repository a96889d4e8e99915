-- which_suppressed: which of many addresses the suppression list stops.
--
-- KEYS  suppressions
-- ARGV  marketing:flag  hashes...
-- ->    one character per hash: "1" for an address that gets no such email, else "0"
--
-- marketing: whether the email is marketing, see suppressed
--include suppressed
local is_suppressed, found = suppression_test(marketing), {}
for i, hash in ipairs(hashes) do
  found[i] = is_suppressed(hash) and '1' or '0'
end
return table.concat(found)
