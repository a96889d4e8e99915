-- states: reads the states of some rows in one step. It writes nothing.
--
-- KEYS  rejected  failed  done  unknown  campaign
-- ARGV  first_row:int  count:int  list_version
-- ->    { bytes of rejected, of failed, of done, from the one that holds the first row to the one that holds the last,
--       the unknown ones among the rows }, or { } where the campaign has another list
--
-- count: at most some thousand; list_version: "" for any list
if list_version ~= '' and redis.call('HGET', campaign, 'list_version') ~= list_version then
  return {}
end
local last_row = first_row + count - 1
local from, to = math.floor(first_row / 8), math.floor(last_row / 8)
local found = {}
-- the cheaper of two ways, so that neither many unknown rows nor a long list makes a slice expensive
local of_list = redis.call('ZCARD', unknown)
if of_list <= count then
  for _, row in ipairs(redis.call('ZRANGE', unknown, 0, -1)) do
    if tonumber(row) >= first_row and tonumber(row) <= last_row then
      found[#found + 1] = row
    end
  end
else
  for row = first_row, last_row do
    if redis.call('ZSCORE', unknown, row) then
      found[#found + 1] = tostring(row)
    end
  end
end
return { redis.call('GETRANGE', rejected, from, to), redis.call('GETRANGE', failed, from, to),
  redis.call('GETRANGE', done, from, to), found }
