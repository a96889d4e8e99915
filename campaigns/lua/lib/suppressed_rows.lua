-- suppressed_rows: takes the rows out of a batch whose address the suppression list stops, and records them as failed.
-- For scripts that declare failed, progress, reasons and suppressions.
--include suppressed

-- has_suppressions() -> whether the list has an entry
local function has_suppressions()
  for _, class in ipairs(SUPPRESSION_CLASSES) do
    if (tonumber(redis.call('HGET', suppressions, class .. '_entries')) or 0) > 0 then
      return true
    end
  end
  return false
end

-- take_suppressed(marketing, rows, hashes, open, open_domains) -> the open rows that may be sent, their domains; the
-- rows that are recorded as failed. hashes: of the addresses of rows
local function take_suppressed(marketing, rows, hashes, open, open_domains)
  local stopped, hash_of = suppression_test(marketing), {}
  for i, row in ipairs(rows) do
    hash_of[row] = hashes[i]
  end
  local sendable, domains_of, taken = {}, {}, {}
  for i, row in ipairs(open) do
    if stopped(hash_of[row]) then
      taken[#taken + 1] = row
      -- first what Redis may refuse, if a key holds a wrong type
      redis.call('HSET', reasons, row, 'suppressed')
      redis.call('HINCRBY', progress, 'failed', 1)
      redis.call('SETBIT', failed, row, 1)
    else
      sendable[#sendable + 1] = row
      domains_of[#sendable] = open_domains[i]
    end
  end
  return sendable, domains_of, taken
end
