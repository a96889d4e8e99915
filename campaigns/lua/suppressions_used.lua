-- suppressions_used: whether the suppression list has ever had an entry.
--
-- KEYS  suppressions
-- ->    1 or 0
--include suppression_buckets
for _, class in ipairs(SUPPRESSION_CLASSES) do
  if redis.call('HEXISTS', suppressions, class .. '_buckets') == 1 then
    return 1
  end
end
return 0
