-- refeed: appends rows that were put back (lost, retried, resent) to the ready recipients, in one step with their
-- marks. Those that yield no recipient any more fail.
--
-- KEYS  campaign  progress  ready  refeed  done  failed  unknown  reasons  running
-- ARGV  campaign_id  list_version  unreadable...  recipients(row recipient)...
-- ->    as prefetch
--
-- unreadable: rows that fail
--
-- $refeed  bitmap by row: to be read from the list once more; progress.refeed counts its bits
--include under_way
--include rows
--include appended
local state = redis.call('HMGET', campaign, 'status', 'list_version')
if state[2] ~= list_version or not is_under_way(state[1]) then
  return { -1 }
end
-- takes a row's mark away -> whether it had one
local function unmark(row)
  if redis.call('SETBIT', refeed, row, 0) == 0 then
    return false
  end
  redis.call('HINCRBY', progress, 'refeed', -1)
  return true
end
local bytes, refed, failing = 0, 0, {}
for _, row in ipairs(unreadable) do
  if unmark(row) then
    failing[#failing + 1] = row
  end
end
for row, recipient in recipients() do
  if unmark(row) and not has_end(done, failed, row) then
    redis.call('RPUSH', ready, recipient)
    bytes, refed = bytes + #recipient, refed + 1
  end
end
return after_append(state[1], refed, bytes, failing)
