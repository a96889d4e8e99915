-- accept_list: gives the campaign a new list and enqueues the message that parses it, in one step. If the campaign has
-- this list already, nothing changes.
--
-- KEYS  campaign  progress  parsing  queue  messages  held  list_keys...
-- ARGV  campaign_id  changeable  list_version  message_id  message  object_key  email_column  list_options  by
--       fields(name value)...
-- ->    { "ok", object key before }, { "same", list_version in use } or { "refused", status }; { "missing" }
--
-- changeable: states that allow another list, "draft,ready"
-- object_key: where the list is; email_column: the column of the addresses; list_options: what else the upload says of
-- the list, JSON or ""; fields: further ones of $campaign
-- by: who gives it. list_keys: all keys that the previous list may have left
--include history
--include lifecycle
--include new_list
local status = redis.call('HGET', campaign, 'status')
if not status then
  return { 'missing', '' }
end
local before = redis.call('HMGET', campaign, 'object_key', 'email_column', 'list_version', 'list_options')
if before[1] == object_key and before[2] == email_column and (before[4] or '') == list_options then
  return { 'same', before[3] }
end
if not is_one_of(status, changeable) then
  return { 'refused', status }
end
begin_parsing(list_version, message_id, message)
redis.call('HDEL', campaign, 'start_when_ready', 'accepted_warnings')
redis.call('HSET', campaign, 'object_key', object_key, 'email_column', email_column, 'list_options', list_options)
for name, value in fields() do
  redis.call('HSET', campaign, name, value)
end
note(campaign, now_ms(), by, before[1] and 'list_replaced' or 'list_accepted', { from = status, to = 'parsing' })
return { 'ok', before[1] or '' }
