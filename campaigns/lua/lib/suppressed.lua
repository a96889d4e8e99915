-- suppressed: asks the suppression list.
-- For scripts that declare suppressions.
--include suppression_buckets

-- suppression_classes(marketing) -> the classes that stop email, marketing or other
local function suppression_classes(marketing)
  return marketing and SUPPRESSION_CLASSES or { 'all' }
end

-- suppression_test(marketing) -> a function that tells whether the list stops email to the address with this hash.
-- marketing: whether the email is marketing; all entries stop that, and only those of class "all" stop other email.
-- A hash of nil or "" is not on the list.
local function suppression_test(marketing)
  local classes = {}
  for _, class in ipairs(suppression_classes(marketing)) do
    local buckets = tonumber(redis.call('HGET', suppressions, class .. '_buckets'))
    if buckets then
      classes[#classes + 1] = { class, buckets, suppression_level(buckets) }
    end
  end
  return function(hash)
    if not hash or hash == '' then
      return false
    end
    for _, class in ipairs(classes) do
      if redis.call('SISMEMBER', suppression_bucket(class[1], class[2], class[3], hash), hash) == 1 then
        return true
      end
    end
    return false
  end
end
