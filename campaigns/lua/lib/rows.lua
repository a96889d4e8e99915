-- rows: what the ledger says of one row.
--
-- $done, $failed, $refeed  bitmaps by row   $in_flight  hash by row   $unknown  zset of rows
--
-- has_end(done, failed, row) -> whether the row is done or failed
local function has_end(done, failed, row)
  return redis.call('GETBIT', done, row) == 1 or redis.call('GETBIT', failed, row) == 1
end

-- is_free(k, row) -> whether no one has the row: it has no end, no mark to be refed, no claim, and is not unknown
-- k names the keys: done, failed, refeed, in_flight, unknown
local function is_free(k, row)
  return not has_end(k.done, k.failed, row) and redis.call('GETBIT', k.refeed, row) == 0
    and redis.call('HEXISTS', k.in_flight, row) == 0 and not redis.call('ZSCORE', k.unknown, row)
end
