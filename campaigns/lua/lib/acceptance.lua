-- acceptance: the warnings that a person must accept before the campaign starts.
--
-- $campaign  hash: unaccepted, content_unaccepted, unaccepted_with_list: JSON lists of the codes of such warnings about
--            the list, about the content, and about both together; accepted_warnings: "1" once a person has accepted
--            them
--include inline_files

-- needs_acceptance(campaign, attachments) -> the codes that are not accepted, "foreign_tag, free_mail_from", or "" for
-- none
local function needs_acceptance(campaign, attachments)
  local found = redis.call('HMGET', campaign, 'unaccepted', 'content_unaccepted', 'unaccepted_with_list',
    'accepted_warnings')
  if found[4] == '1' then
    return ''
  end
  local codes = {}
  for place = 1, 3 do
    for _, code in ipairs(cjson.decode(found[place] or '[]')) do
      codes[#codes + 1] = code
    end
  end
  if lacks_inline_file(campaign, attachments) then
    codes[#codes + 1] = 'missing_attachment'
  end
  return table.concat(codes, ', ')
end

-- accept_warnings(campaign): a person accepts them
local function accept_warnings(campaign)
  redis.call('HSET', campaign, 'accepted_warnings', '1')
end
