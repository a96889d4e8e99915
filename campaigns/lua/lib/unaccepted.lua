-- unaccepted: warnings that an operator must accept before the campaign starts.
--
-- $campaign  hash: unaccepted: JSON list of the codes of the list's warnings; content_unaccepted: of the content's
--
-- unaccepted_warnings(campaign) -> their codes, "encoding_guessed, foreign_tags", or "" where there is none
local function unaccepted_warnings(campaign)
  local codes = {}
  for _, found in ipairs(redis.call('HMGET', campaign, 'unaccepted', 'content_unaccepted')) do
    for _, code in ipairs(found and found ~= '' and cjson.decode(found) or {}) do
      codes[#codes + 1] = code
    end
  end
  return table.concat(codes, ', ')
end
