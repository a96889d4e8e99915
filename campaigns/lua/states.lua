-- states: where some rows stand, read in one step. It writes nothing.
--
-- KEYS  1 skip  2 failed  3 done  4 unknown  5 campaign
-- ARGV  1 first row  2 number of rows, at most some thousand  3 generation, or "" for whatever list it is
-- ->    { bytes of skip, of failed, of done, from the one that holds the first row to the one that holds the last,
--       the unknown ones among the rows }, or { } where the campaign has another list
if ARGV[3] ~= '' and redis.call('HGET', KEYS[5], 'generation') ~= ARGV[3] then
  return {}
end
local first, count = tonumber(ARGV[1]), tonumber(ARGV[2])
local last = first + count - 1
local from, to = math.floor(first / 8), math.floor(last / 8)
local unknown = {}
-- the shorter way, so that neither many unknown rows nor a long list makes a slice dear
local of_list = redis.call('ZCARD', KEYS[4])
if of_list <= count then
  for _, row in ipairs(redis.call('ZRANGE', KEYS[4], 0, -1)) do
    if tonumber(row) >= first and tonumber(row) <= last then
      unknown[#unknown + 1] = row
    end
  end
else
  for row = first, last do
    if redis.call('ZSCORE', KEYS[4], row) then
      unknown[#unknown + 1] = tostring(row)
    end
  end
end
return { redis.call('GETRANGE', KEYS[1], from, to), redis.call('GETRANGE', KEYS[2], from, to),
  redis.call('GETRANGE', KEYS[3], from, to), unknown }
