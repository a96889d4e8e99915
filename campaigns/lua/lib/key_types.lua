-- key_types: stops a script before its first write if a key has a value of the wrong type. When Redis refuses a command
-- half-way through a script, the earlier writes stay.
--
-- check_key_types(hashes, bitmaps, sorted_sets, lists): each a table of keys
local function check_key_types(hashes, bitmaps, sorted_sets, lists)
  for _, hash in ipairs(hashes) do
    redis.call('HLEN', hash)
  end
  for _, bitmap in ipairs(bitmaps) do
    redis.call('GETBIT', bitmap, 0)
  end
  for _, sorted_set in ipairs(sorted_sets) do
    redis.call('ZCARD', sorted_set)
  end
  for _, list in ipairs(lists) do
    redis.call('LLEN', list)
  end
end
