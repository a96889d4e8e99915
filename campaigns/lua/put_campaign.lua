-- put_campaign: creates a campaign, or changes its content if its state allows that.
--
-- KEYS  campaign  campaigns
-- ARGV  campaign_id  changeable  content  default_tpm:int  template_names  fields(name value)...
-- ->    "created", "changed", "same", or the state that does not allow it
--
-- changeable: states that allow a change, "draft,ready"; content: encoded; default_tpm: for a new campaign
-- template_names: that the templates take from the list, JSON; fields: further ones of $campaign
--include clock
--include columns
--include lifecycle
local before = redis.call('HMGET', campaign, 'status', 'content')
if before[2] == content then
  redis.call('HSETNX', campaign, 'template_names', template_names)
  return 'same'
end
if before[1] and not is_one_of(before[1], changeable) then
  return before[1]
end
if not before[1] then
  local now = now_ms()
  redis.call('HSET', campaign, 'status', 'draft', 'created_at', now, 'tpm', default_tpm)
  redis.call('ZADD', campaigns, now, campaign_id)
end
redis.call('HSET', campaign, 'content', content, 'template_names', template_names)
if before[1] == 'ready' then
  note_columns(campaign)
end
for name, value in fields() do
  redis.call('HSET', campaign, name, value)
end
return before[1] and 'changed' or 'created'
