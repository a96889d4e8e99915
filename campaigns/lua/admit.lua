-- admit: decides which rows of a run may be sent now, and claims them.
--
-- KEYS  1 campaign  2 progress  3 runs  4 flight  5 done  6 failed  7 unknown  8 window  9 gate
-- ARGV  1 generation  2 run id  3 worker id  4 nonce of this question  5 how long a probe may take (ms)  6... rows
-- ->    { verdict, granted rows, denied rows, tpm }; rows as "12,13"; verdict is one of
--       ok       all that may still be sent were granted
--       limited, blocked, paused   why the denied ones were not; they go back to the waiting side
--       stale    the run is nobody's any more: drop the message
--
-- $campaign  hash: status, generation, tpm, ...
-- $runs      hash: run id -> state|ms|rows; state q released, a admitted, r retry due
-- $flight    hash: row -> worker id|ms of the claim|nonce
--
-- A question that is asked again because its answer was lost carries the same nonce and gets the same rows; another copy of the
-- message does not.
-- $done, $failed  bitmaps by row   $unknown  zset: row by ms   $window, $gate: see lib
--include clock
--include window
--include gate

local campaign, runs, flight, window, gate = KEYS[1], KEYS[3], KEYS[4], KEYS[8], KEYS[9]
local run_id, worker_id = ARGV[2], ARGV[3]
local state = redis.call('HMGET', campaign, 'status', 'generation', 'tpm')
local status, tpm = state[1], tonumber(state[3])

if state[2] ~= ARGV[1] or redis.call('HEXISTS', runs, run_id) == 0 then
  return { 'stale', '', '', '0' }
end
if status ~= 'running' and status ~= 'paused' then
  redis.call('HDEL', runs, run_id)
  return { 'stale', '', '', '0' }
end

local open, busy = {}, false
local any_unknown = redis.call('EXISTS', KEYS[7]) == 1
local answered = {}
for i = 6, #ARGV do
  local row = ARGV[i]
  local claim = redis.call('HGET', flight, row)
  if claim then
    busy = true
    if string.sub(claim, -#ARGV[4]) == ARGV[4] then
      answered[#answered + 1] = row
    end
  elseif redis.call('GETBIT', KEYS[5], row) == 0 and redis.call('GETBIT', KEYS[6], row) == 0
      and not (any_unknown and redis.call('ZSCORE', KEYS[7], row)) then
    open[#open + 1] = row
  end
end
if #answered > 0 then
  return { 'ok', table.concat(answered, ','), table.concat(open, ','), state[3] }
end
if #open == 0 then
  if not busy then
    redis.call('HDEL', runs, run_id)
  end
  return { 'stale', '', '', '0' }
end
if status == 'paused' then
  return { 'paused', '', table.concat(open, ','), state[3] }
end

local clock = now_ms()
local passage = gate_state(gate, clock)
if passage == 'closed' then
  return { 'blocked', '', table.concat(open, ','), state[3] }
end
local used, now = window_used(window, clock)
local count, verdict = math.min(#open, tpm - used), 'limited'
if passage == 'probe' and count > 0 then
  count, verdict = 1, 'blocked'
  redis.call('HSET', gate, 'probe_until', clock + tonumber(ARGV[5]))
end
if count <= 0 then
  return { 'limited', '', table.concat(open, ','), state[3] }
end

local claims, claim = {}, worker_id .. '|' .. clock .. '|' .. ARGV[4]
for i = 1, count do
  claims[2 * i - 1], claims[2 * i] = open[i], claim
end
redis.call('HSET', flight, unpack(claims))
window_add(window, now, count)
local granted = table.concat(open, ',', 1, count)
redis.call('HSET', runs, run_id, 'a|' .. clock .. '|' .. granted)
return { count == #open and 'ok' or verdict, granted, table.concat(open, ',', count + 1), state[3] }
