-- inline_files: the files that the HTML of a campaign shows.
--
-- $campaign     hash: inline_files: JSON list of their names, in lower case
-- $attachments  hash: filename -> JSON
--
-- lacks_inline_file(campaign, attachments) -> whether one of them is not among the attachments
local function lacks_inline_file(campaign, attachments)
  local named = cjson.decode(redis.call('HGET', campaign, 'inline_files') or '[]')
  local there = {}
  for _, filename in ipairs(#named > 0 and redis.call('HKEYS', attachments) or {}) do
    there[string.lower(filename)] = true
  end
  for _, filename in ipairs(named) do
    if not there[filename] then
      return true
    end
  end
  return false
end
