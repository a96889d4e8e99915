-- trouble: whose trouble a failure is, the provider's or this campaign's alone, and what that does to the gates.
-- For scripts that declare campaign_id, gate, failing, own_gate and own_failing.
--include gate_changes

-- gate_in_trouble(row, now) -> the gate whose trouble the row's failure is; nil where it may be the recipient's own
local function gate_in_trouble(row, now)
  local everybodys = gate_troubled(gate, failing, now, campaign_id .. ':' .. row)
  local own = gate_troubled(own_gate, own_failing, now, row)
  if own and gate_others_pass(gate, failing, own_gate, own_failing, now, campaign_id) then
    return own_gate
  end
  return (own or everybodys) and gate or nil
end

-- close_gate(whose, now, wait_ms or nil, reason): a probe of the other gate has told nothing about that one
local function close_gate(whose, now, wait_ms, reason)
  gate_close(whose, now, wait_ms, reason)
  gate_probed(whose == gate and own_gate or gate)
end

-- probes_unanswered(): a row that a gate let through to probe was not tried: the gate waits for another one
local function probes_unanswered()
  gate_probed(gate)
  gate_probed(own_gate)
end

-- count_passes(now, count): the provider took count mails. A campaign's own passes count from its first failure on: an
-- outage that begins in the middle of many passes shows at once
local function count_passes(now, count)
  gate_passed(gate, now, count)
  if redis.call('EXISTS', own_gate, own_failing) > 0 then
    gate_passed(own_gate, now, count)
  end
end

-- open_gates(now): the provider takes this campaign's mails
local function open_gates(now)
  gate_passed_of(gate, now, campaign_id)
  gate_open(gate, now)
  gate_open(own_gate, now)
end
