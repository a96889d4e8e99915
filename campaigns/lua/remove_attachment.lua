-- remove_attachment: a campaign's emails no longer carry a file, where its state allows that.
--
-- KEYS  campaign  attachments
-- ARGV  changeable  filename  by
-- ->    { "removed", its entry }, { "missing", "" }, { "state", the state that does not allow it } or { "none", "" }
--
-- changeable: states that allow a change, "draft,ready"; by: who removes it
--include history
--include lifecycle
local status = redis.call('HGET', campaign, 'status')
if not status then
  return { 'missing', '' }
end
local entry = redis.call('HGET', attachments, filename)
if not entry then
  return { 'none', '' }
end
if not is_one_of(status, changeable) then
  return { 'state', status }
end
redis.call('HDEL', attachments, filename)
note(campaign, now_ms(), by, 'attachment_removed', { filename = filename })
return { 'removed', entry }
