-- columns: whether the list has the columns that the templates name.
--
-- $campaign  hash: template_names: JSON list of the names that the templates take from the list, sorted; columns: JSON
--            list of its columns
--
-- missing_columns(campaign) -> the names that the list lacks, "age, city", or "" where none is missing
local function missing_columns(campaign)
  local found = redis.call('HMGET', campaign, 'template_names', 'columns')
  local has, missing = {}, {}
  for _, column in ipairs(cjson.decode(found[2] or '[]')) do
    has[column] = true
  end
  for _, name in ipairs(cjson.decode(found[1] or '[]')) do
    if not has[name] then
      missing[#missing + 1] = name
    end
  end
  return table.concat(missing, ', ')
end

-- note_columns(campaign, words) -> whether all are there; the campaign's reason says which are not, in these words if
-- there are any
local function note_columns(campaign, words)
  local missing = missing_columns(campaign)
  if missing == '' then
    redis.call('HDEL', campaign, 'reason')
    return true
  end
  missing = words == '' and missing or words
  redis.call('HSET', campaign, 'reason', 'the templates name columns that the CSV lacks: ' .. missing)
  return false
end
