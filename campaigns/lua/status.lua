-- status: reads all figures of the status report in one step. It writes nothing, and Redis enforces that (see
-- `Scripts.read`).
--
-- KEYS  campaign  progress  in_flight  unknown  window  own_breaker  attachments
-- ARGV  accounts:json  fallback_after_ms:int  key_prefix
-- ->    { campaign fields..., progress fields..., in flight, unknown, sent in the last minute, limit now, delivered,
--       bounced, complained, unsubscribed, dropped, excluded, opened, opened by machines, clicked, facts of the list,
--       unaccepted warnings of the list, of the content, and of both together, 1 where the HTML shows a file that is
--       not attached, start_at, windows, now (ms) } or { } where it is missing
--include clock
--include accounts
--include inline_files
--include window
--include limit
--include windows
local c = redis.call('HMGET', campaign, 'status', 'tpm', 'reason', 'started_at', 'finished_at', 'size',
  'list_facts', 'unaccepted', 'content_unaccepted', 'unaccepted_with_list', 'account', 'start_at', 'windows',
  'open_windows')
if not c[1] then
  return {}
end
local p = redis.call('HMGET', progress, 'total', 'done', 'failed', 'rejected', 'retries', 'parsed_bytes', 'parsed_rows',
  'delivered', 'bounced', 'complained', 'unsubscribed', 'dropped', 'excluded', 'opened',
  'opened_by_machines', 'clicked', 'waits_for')
local now = now_ms()
local used = window_count(window, now)

-- why a running campaign does not send as it should
local function reason_of_running()
  local name = c[11] or 'default'
  local account = account_named(name, now)
  if not account or p[17] then
    local process = p[17] and 'the worker ' .. p[17] or 'the web process'
    return 'waiting: ' .. process .. ' does not know the account ' .. name .. '; give all processes the same ACCOUNTS'
  end
  if window_opens_in(c[14], now) ~= 0 then
    return 'outside the sending windows'
  end
  local own = redis.call('HMGET', own_breaker, 'level', 'why')
  local reason = (tonumber(own[1]) or 0) > 0 and 'waiting for the provider: ' .. (own[2] or '') or nil
  if account.gives_way then
    return 'sending through ' .. account.fallback .. ', because ' .. name .. ' takes no emails: ' .. (account.why or '')
  end
  if account.has_trouble then
    reason = 'waiting for the provider: ' .. (account.why or '')
  end
  return reason or c[3] or ''
end

local reason = c[1] == 'running' and reason_of_running() or c[3] or ''
return { c[1], c[2], reason, c[4] or '', c[5] or '', c[6] or '0', p[1] or '0', p[2] or '0', p[3] or '0', p[4] or '0',
  p[5] or '0', p[6] or '0', p[7] or '0', redis.call('HLEN', in_flight), redis.call('ZCARD', unknown), used,
  limit_now(campaign, now), p[8] or '0', p[9] or '0', p[10] or '0', p[11] or '0', p[12] or '0', p[13] or '0',
  p[14] or '0', p[15] or '0', p[16] or '0', c[7] or '', c[8] or '', c[9] or '', c[10] or '',
  lacks_inline_file(campaign, attachments) and 1 or 0, c[12] or '', c[13] or '', string.format('%d', now) }
