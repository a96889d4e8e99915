-- put_attachment: records a file that the campaign's emails carry, where its state and the limits allow that.
--
-- KEYS  campaign  attachments
-- ARGV  changeable  filename  entry  size:int  max_bytes:int  max_files:int  by
-- ->    { "put", the entry that it replaces or "" }, { "missing", "" }, { "state", the state that does not allow it },
--       { "bytes", all attachments' together in bytes } or { "files", "" }
--
-- changeable: states that allow a change, "draft,ready"; entry: encoded; size: of the file in bytes; by: who puts it
--include attachment_sizes
--include history
--include lifecycle
local status = redis.call('HGET', campaign, 'status')
if not status then
  return { 'missing', '' }
end
if not is_one_of(status, changeable) then
  return { 'state', status }
end
local files, bytes = other_attachments(attachments, filename)
if bytes + size > max_bytes then
  return { 'bytes', tostring(bytes + size) }
end
if files >= max_files then
  return { 'files', '' }
end
local before = redis.call('HGET', attachments, filename)
redis.call('HSET', attachments, filename, entry)
note(campaign, now_ms(), by, before and 'attachment_replaced' or 'attachment_added', { filename = filename })
return { 'put', before or '' }
