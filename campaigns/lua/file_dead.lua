-- file_dead: notes those rows of a dead letter that are not final, for the next reconciliation of their campaign.
--
-- KEYS  campaign  progress  done  failed  dead
-- ARGV  list_version  died_at:int  rows...
-- ->    number of rows noted
--
-- died_at: when it became a dead letter (ms)
-- $dead  set of rows. A dead letter that is older than the last retry of the campaign's failed rows is ignored.
--include rows
if redis.call('HGET', campaign, 'list_version') ~= list_version then
  return 0
end
if (tonumber(redis.call('HGET', progress, 'retried_at')) or 0) >= died_at then
  return 0
end
local count = 0
for _, row in ipairs(rows) do
  if not has_end(done, failed, row) then
    count = count + redis.call('SADD', dead, row)
  end
end
return count
