-- suppression_sizes: how many buckets and entries the suppression list has.
--
-- KEYS  suppressions
-- ARGV  marketing:flag
-- ->    { class, buckets, entries } of each class that has ever had an entry and stops such email, see suppressed
--include suppressed
local found = {}
for _, class in ipairs(suppression_classes(marketing)) do
  local counts = redis.call('HMGET', suppressions, class .. '_buckets', class .. '_entries')
  if counts[1] then
    found[#found + 1] = { class, tonumber(counts[1]), tonumber(counts[2]) or 0 }
  end
end
return found
