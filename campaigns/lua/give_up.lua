-- give_up: rows whose outcome Redis refuses to record become unknown, as far as can be: the cause is a key of the campaign that holds
-- what it should not, and each step here may be refused too. A row that cannot be made unknown keeps its claim, so that nobody sends it
-- again; expire_claims does it once the key is mended.
--
-- KEYS  1 campaign  2 flight  3 unknown  4 reasons  5 done  6 failed  7 progress  8 running
-- ARGV  1 campaign id  2 generation  3 worker id  4... row, nonce of its claim or "", reason in turn
-- ->    { rows that are unknown now, rows that keep their claim }
--
-- $flight, $unknown: see admit, settle
--include clock
--include finish
local generation, now = redis.pcall('HGET', KEYS[1], 'generation'), now_ms()
if type(generation) ~= 'table' and generation ~= ARGV[2] then
  return { 0, 0 }
end
local mine = ARGV[3] .. '|'
local function is_refused(answer)
  return type(answer) == 'table' and answer.err ~= nil
end
local function is_anothers(claim, nonce)
  if is_refused(claim) then
    return false
  end
  return not claim or string.sub(claim, 1, #mine) ~= mine or (nonce ~= '' and string.sub(claim, -#nonce) ~= nonce)
end

local given_up, kept = 0, 0
for i = 4, #ARGV, 3 do
  local row = ARGV[i]
  if not is_anothers(redis.pcall('HGET', KEYS[2], row), ARGV[i + 1]) then
    local final = redis.pcall('GETBIT', KEYS[5], row) == 1 or redis.pcall('GETBIT', KEYS[6], row) == 1
    if not final and is_refused(redis.pcall('ZADD', KEYS[3], now, row)) then
      kept = kept + 1
    else
      redis.pcall('HDEL', KEYS[2], row)
      if not final then
        redis.pcall('HSET', KEYS[4], row, ARGV[i + 2])
        given_up = given_up + 1
      end
    end
  end
end
pcall(complete_if_done, KEYS[1], KEYS[7], KEYS[3], KEYS[8], ARGV[1], now)
return { given_up, kept }
