-- prefetch: appends a slice of the list to the ready recipients, in one step with the cursor. Its rows that yield no
-- recipient any more fail.
--
-- KEYS  campaign  progress  ready  done  failed  unknown  reasons  running
-- ARGV  campaign_id  list_version  slice:int  last_row:int  batch_rows:int  unreadable...  recipients...
-- ->    { ready recipients, their bytes, status }; { -1 } where this slice is not the next one, or the campaign is
--       gone or over
--
-- slice: its number; last_row: of the slice; unreadable: rows that fail
-- batch_rows: the most recipients of the campaign's batches; 0: as usual
--
-- $progress  hash: cursor: the next slice; prefetched_row: the last row of the slices before it; ready_bytes;
--            prefetch_asked; batch_rows
-- $ready     list: [row,"address",[values]]
--include under_way
--include appended
local state = redis.call('HMGET', campaign, 'status', 'list_version')
local cursor = tonumber(redis.call('HGET', progress, 'cursor')) or 0
if state[2] ~= list_version or cursor ~= slice or not is_under_way(state[1]) then
  return { -1 }
end
local bytes = 0
for i = 1, #recipients, 100 do
  redis.call('RPUSH', ready, unpack(recipients, i, math.min(i + 99, #recipients)))
end
for _, recipient in ipairs(recipients) do
  bytes = bytes + #recipient
end
redis.call('HSET', progress, 'cursor', cursor + 1, 'prefetched_row', last_row,
  'batch_rows', batch_rows)
return after_append(state[1], #recipients, bytes, unreadable)
