-- suppressions_used: whether the suppression list has ever had an entry.
--
-- KEYS  suppressions
-- ->    1 or 0
return (redis.call('HEXISTS', suppressions, 'all_buckets') == 1
    or redis.call('HEXISTS', suppressions, 'marketing_buckets') == 1) and 1 or 0
