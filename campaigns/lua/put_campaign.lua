-- put_campaign: creates a campaign, or changes its content if its state allows that.
--
-- KEYS  campaign  campaigns  progress  parsing  queue  messages  held  breaker  failing  schedule  list_keys...
-- ARGV  campaign_id  changeable  account  replaces  content  default_tpm:int  template_names  sent_content  unaccepted
--       judged:flag  judged_list  unaccepted_with_list  missing  filters  list_version  message_id  message  by
--       copy_of  fields(name value)...
-- ->    "created", "changed", "same", "list_changed", or the state that does not allow it
--
-- account: of the content; replaces: the stored content if the account alone differs from it, or "": such a change is
-- possible while the campaign is paused. Rows in flight end at the old account, which their claims name
-- changeable: states that allow a change, "draft,ready"; content: encoded; default_tpm: for a new campaign
-- template_names: that the templates take from the list, JSON; fields: further ones of $campaign
-- filters: what decides which rows are recipients; if it has changed, the list is parsed again, as list_version, by
-- message. A scheduled campaign is scheduled for its new time, or ready without one
-- sent_content: what is sent instead of the content, encoded, "" for the content itself
-- by: who puts it; copy_of: the campaign from which a new one is copied, or ""
-- unaccepted: codes of the warnings about the content that a person must accept before the start, JSON list
-- judged: whether the content was checked with the list whose version is judged_list, "" for none; if the campaign has
-- another one now, nothing changes: "list_changed". unaccepted_with_list: the codes of what was found, JSON list;
-- missing: the columns that the list lacks, in words
--include clock
--include new_list
--include starting
local before = redis.call('HMGET', campaign, 'status', 'content', 'filters', 'object_key', 'list_version')
if before[2] == content then
  redis.call('HSETNX', campaign, 'template_names', template_names)
  return 'same'
end
if before[1] == 'paused' and replaces ~= '' and before[2] == replaces then
  note_change(campaign, now_ms(), by, 'account', account)
  redis.call('HSET', campaign, 'content', content, 'sent_content', sent_content, 'account', account)
  redis.call('DEL', breaker, failing)
  return 'changed'
end
if before[1] and not is_one_of(before[1], changeable) then
  return before[1]
end
if judged and judged_list ~= (is_one_of(before[1] or '', 'ready,scheduled') and before[5] or '') then
  return 'list_changed'
end
local now = now_ms()
if not before[1] then
  redis.call('HSET', campaign, 'status', 'draft', 'created_at', now, 'tpm', default_tpm)
  redis.call('ZADD', campaigns, now, campaign_id)
end
redis.call('HSET', campaign, 'content', content, 'template_names', template_names, 'sent_content', sent_content,
  'content_unaccepted', unaccepted)
redis.call('HINCRBY', campaign, 'content_version', 1)
redis.call('HDEL', campaign, 'accepted_warnings')
if is_one_of(before[1] or '', 'ready,scheduled') then
  redis.call('HSET', campaign, 'unaccepted_with_list', unaccepted_with_list)
  note_columns(campaign, missing)
end
redis.call('HSET', campaign, 'filters', filters)
note(campaign, now, by, before[1] and 'content_changed' or 'created', copy_of ~= '' and { copy_of = copy_of } or nil)
for name, value in fields() do
  if before[1] and (name == 'tpm' or name == 'account') then
    note_change(campaign, now, by, name, value)
  end
  redis.call('HSET', campaign, name, value)
end
if before[4] and before[1] ~= 'draft' and (before[3] or '') ~= filters then
  begin_parsing(list_version, message_id, message)
  if before[1] == 'scheduled' then
    redis.call('HSET', campaign, 'start_when_ready', '1', 'start_by', by)
  end
elseif before[1] == 'scheduled' then
  plan_again(campaign, schedule, campaign_id, by, now)
end
return before[1] and 'changed' or 'created'
