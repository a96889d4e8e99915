-- suppression_members: the hashes of some buckets of the suppression list.
--
-- KEYS  suppressions
-- ARGV  of_class  first:int  count:int  as_texts:flag
-- ->    per bucket, as Redis dumps it (a serialized intset, "" for none), or as text: the hashes with commas between
--
-- of_class: see suppression_buckets; first: the number of the first bucket, from 0
-- as_texts: a dump costs Redis a tenth of the time, but not every server makes one that consent/intset.py can read
--include suppression_buckets
local found = {}
for number = first, first + count - 1 do
  local bucket = suppression_bucket_key(of_class, number)
  if as_texts then
    found[#found + 1] = table.concat(redis.call('SMEMBERS', bucket), ',')
  else
    local dump = redis.pcall('DUMP', bucket)
    found[#found + 1] = type(dump) == 'string' and dump or ''
  end
end
return found
