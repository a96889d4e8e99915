-- attachment_sizes: what a campaign's attachments take together.
--
-- $attachments  hash: filename -> JSON with its size (bytes), content_type and object_key
--
-- other_attachments(attachments, filename) -> the number of the others, and their bytes together
local function other_attachments(attachments, filename)
  local entries = redis.call('HGETALL', attachments)
  local count, bytes = 0, 0
  for place = 1, #entries, 2 do
    if entries[place] ~= filename then
      count = count + 1
      bytes = bytes + cjson.decode(entries[place + 1]).size
    end
  end
  return count, bytes
end
