-- parse_finish: records the parsed list in one step. If a client has started the campaign meanwhile, it starts now,
-- provided that the list has all columns that the templates now name, at least one valid recipient, and no warning that
-- a person must accept. It is scheduled instead if its time to begin has not come.
--
-- KEYS  campaign  progress  parsing  running  rejected  index  attachments  schedule  link_marks
-- ARGV  campaign_id  list_version  parser_id  status  reason  rows:int  total:int  rejected_rows:int
--       excluded_rows:int  rejected_bitmap  packed_index  content_version  missing  link_mark
--       fields(name value)...
-- ->    the new status, "" where this parser is superseded, or "content_changed"
--
-- status: "ready" or "rejected"; reason: "" for none; rejected_rows, excluded_rows: how many;
-- content_version: of the content that was checked with the list, "" for none; if the campaign has another content now,
-- nothing changes: "content_changed". missing: the columns that the list lacks, in words
-- link_mark: of the list's unsubscribe links; it leads to the campaign from now on, that of the list before no longer
-- fields: further ones of $campaign
--include clock
--include starting
local state = redis.call('HMGET', campaign, 'status', 'list_version', 'parser', 'start_when_ready', 'content_version',
  'start_by', 'link_mark')
if state[1] ~= 'parsing' or state[2] ~= list_version or state[3] ~= parser_id then
  return ''
end
if content_version ~= '' and content_version ~= (state[5] or '0') then
  return 'content_changed'
end
redis.call('ZREM', parsing, campaign_id)
redis.call('HDEL', campaign, 'parser', 'start_when_ready', 'start_by')
local now = now_ms()
note(campaign, now, 'system', status == 'ready' and 'list_parsed' or 'list_rejected', { from = 'parsing', to = status,
  recipients = total, rejected = rejected_rows, excluded = excluded_rows }, reason)
if reason == '' then
  redis.call('HDEL', campaign, 'reason')
else
  redis.call('HSET', campaign, 'reason', reason)
end
redis.call('HSET', progress, 'rows', rows, 'total', total, 'rejected', rejected_rows, 'excluded', excluded_rows,
  'parsed_rows', rows)
if state[7] then
  redis.call('HDEL', link_marks, state[7])
  redis.call('HDEL', campaign, 'link_mark')
end
for name, value in fields() do
  redis.call('HSET', campaign, name, value)
end
if status == 'ready' then
  redis.call('SET', rejected, rejected_bitmap)
  redis.call('SET', index, packed_index)
  redis.call('HSET', link_marks, link_mark, campaign_id)
  redis.call('HSET', campaign, 'link_mark', link_mark)
  local complete = note_columns(campaign, missing)
  local k = { campaign = campaign, progress = progress, running = running, schedule = schedule,
    attachments = attachments }
  local problem, detail = start_problem(k, false)
  if state[4] == '1' and complete and problem then
    redis.call('HSET', campaign, 'reason', START_PROBLEMS[problem] .. (detail or ''))
  elseif state[4] == '1' and complete then
    status = begin_sending(k, campaign_id, state[6] or 'system', 'ready', now)
  end
end
redis.call('HSET', campaign, 'status', status)
return status
