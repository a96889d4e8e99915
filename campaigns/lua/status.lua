-- status: reads all figures of the status report in one step. It writes nothing, and Redis enforces that (see
-- `Scripts.read`).
--
-- KEYS  campaign  progress  in_flight  unknown  window  breaker  own_breaker  attachments
-- ->    { campaign fields..., progress fields..., in flight, unknown, sent in the last minute, limit now, delivered,
--       bounced, complained, unsubscribed, dropped, excluded, opened, opened by machines, clicked, facts of the list,
--       unaccepted warnings of the list, of the content, and of both together, 1 where the HTML shows a file that is
--       not attached } or { } where it is missing
--include clock
--include inline_files
--include window
--include limit
local c = redis.call('HMGET', campaign, 'status', 'tpm', 'reason', 'started_at', 'finished_at', 'size',
  'list_facts', 'unaccepted', 'content_unaccepted', 'unaccepted_with_list')
if not c[1] then
  return {}
end
local p = redis.call('HMGET', progress, 'total', 'done', 'failed', 'rejected', 'retries', 'parsed_bytes', 'parsed_rows',
  'delivered', 'bounced', 'complained', 'unsubscribed', 'dropped', 'excluded', 'opened',
  'opened_by_machines', 'clicked')
local now = now_ms()
local used = window_count(window, now)
local reason = c[3] or ''
for _, key in ipairs(c[1] == 'running' and { own_breaker, breaker } or {}) do
  local breaker = redis.call('HMGET', key, 'level', 'why')
  if (tonumber(breaker[1]) or 0) > 0 then
    reason = 'waiting for the provider: ' .. (breaker[2] or '')
  end
end
return { c[1], c[2], reason, c[4] or '', c[5] or '', c[6] or '0', p[1] or '0', p[2] or '0', p[3] or '0', p[4] or '0',
  p[5] or '0', p[6] or '0', p[7] or '0', redis.call('HLEN', in_flight), redis.call('ZCARD', unknown), used,
  limit_now(campaign, now), p[8] or '0', p[9] or '0', p[10] or '0', p[11] or '0', p[12] or '0', p[13] or '0',
  p[14] or '0', p[15] or '0', p[16] or '0', c[7] or '', c[8] or '', c[9] or '', c[10] or '',
  lacks_inline_file(campaign, attachments) and 1 or 0 }
