-- file_dead: notes the rows of a dead letter for the next reconciliation of their campaign, where they have no end yet.
--
-- KEYS  1 campaign  2 progress  3 done  4 failed  5 dead   ARGV  1 generation  2 when it became one (ms)  3... rows
-- ->    number of rows noted
--
-- $dead  set of rows. A dead letter from before its campaign's failed rows were tried again is no evidence any more.
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[1] then
  return 0
end
if (tonumber(redis.call('HGET', KEYS[2], 'retried_at')) or 0) >= tonumber(ARGV[2]) then
  return 0
end
local count = 0
for i = 3, #ARGV do
  if redis.call('GETBIT', KEYS[3], ARGV[i]) == 0 and redis.call('GETBIT', KEYS[4], ARGV[i]) == 0 then
    count = count + redis.call('SADD', KEYS[5], ARGV[i])
  end
end
return count
