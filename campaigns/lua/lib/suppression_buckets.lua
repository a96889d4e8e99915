-- suppression_buckets: where the suppression list keeps an address's hash.
-- For scripts that declare suppressions.
--
-- $suppressions  hash: <class>_buckets, <class>_entries: how many there are; seq: of the last record; hash_key
-- $suppressions:<class>:<number>  set: a bucket of signed 64-bit hashes, which Redis keeps at 8 bytes each (intset).
-- class: "all" for entries that stop all email (bounced, complained); "unsubscribed" and "manual" stop marketing. These
-- two are apart since a recipient who subscribes again takes back the one and not the other. "marketing" holds both as
-- an earlier version kept them; nothing is added to it.
--
-- The list grows by linear hashing (Litwin 1980): when the buckets are full on average, one of them is split in two. So
-- no call takes long, and no bucket outgrows an intset (512 members): an unsplit one has at most twice the average.

-- The average number of entries per bucket.
local SUPPRESSION_BUCKET_ENTRIES = 192
-- The most values of one command.
local SUPPRESSION_VALUES = 1000
local SUPPRESSION_CLASS = { unsubscribed = 'unsubscribed', manual = 'manual', bounced = 'all', complained = 'all' }
local SUPPRESSION_CLASSES = { 'all', 'unsubscribed', 'manual', 'marketing' }

local function suppression_bucket_key(class, number)
  return suppressions .. ':' .. class .. ':' .. string.format('%d', number)
end

-- suppression_level(buckets) -> the largest power of two that is not above the number of buckets
local function suppression_level(buckets)
  local level = 1
  while level * 2 <= buckets do
    level = level * 2
  end
  return level
end

-- suppression_place(hash, modulus) -> a number from 0 to modulus - 1. A number in Lua holds 53 bits, so this takes the
-- last nine digits of the hash.
local function suppression_place(hash, modulus)
  return tonumber(string.sub(hash, -9)) % modulus
end

-- suppression_bucket(class, buckets, level, hash) -> the key of the bucket to which the hash belongs
local function suppression_bucket(class, buckets, level, hash)
  local number = suppression_place(hash, level * 2)
  if number >= buckets then
    number = number - level
  end
  return suppression_bucket_key(class, number)
end
