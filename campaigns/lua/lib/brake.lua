-- brake: pauses a campaign whose bounces or complaints pass its limits, until a person accepts the figures.
--
-- $campaign      hash: status, reason; brake_bounce_pct, brake_complaint_pct: its limits in percent, "" for none;
--                brake_after: of fewer emails the brake says nothing; braked: why the brake holds the campaign
-- $progress      hash: done, delivered, bounced, complained; once a person has accepted the figures: brake_from: done
--                at that time; brake_delivered, brake_bounced, brake_complained: of emails sent since then
-- $before_brake  bitmap by row: was done or in flight when a person accepted the figures; such a row counts no more
--include pause
--include under_way

-- brake_words(count, of, what, limit) -> "7 of 120 bounced (5.8 %), the limit is 5 %"; nil if the limit is not passed
local function brake_words(count, of, what, limit)
  if not limit or count * 100 <= limit * of then
    return nil
  end
  local share = count * 100 / of
  local form = '%d of %d ' .. what .. (share < 1 and ' (%.2f %%)' or ' (%.1f %%)') .. ', the limit is %g %%'
  return string.format(form, count, of, share, limit)
end

-- brake_verdict(limits, figures) -> why the brake acts, or nil
-- limits: { bounce, complaint, after }; figures: { sent, delivered, bounced, complained }
--
-- The percentages are of the emails that the provider has reported as delivered or bounced. Where it has reported fewer
-- than `after`, or reports no deliveries, they are of all sent emails: so many per cent have bounced already, whatever
-- becomes of the others.
local function brake_verdict(limits, figures)
  local sent, delivered, bounced, complained = unpack(figures)
  local reported = delivered + bounced
  local of = delivered > 0 and reported >= limits[3] and reported or sent
  if of < limits[3] then
    return nil
  end
  return brake_words(bounced, of, 'bounced', limits[1]) or brake_words(complained, of, 'complained', limits[2])
end

-- brake_figures(progress) -> figures of the emails sent since a person has accepted the figures, if one has
local function brake_figures(progress)
  local p = redis.call('HMGET', progress, 'done', 'delivered', 'bounced', 'complained', 'brake_from', 'brake_delivered',
    'brake_bounced', 'brake_complained')
  local first = p[5] and 6 or 2
  local figures = { math.max(0, (tonumber(p[1]) or 0) - (tonumber(p[5]) or 0)) }
  for place = first, first + 2 do
    figures[#figures + 1] = tonumber(p[place]) or 0
  end
  return figures
end

-- hold_by_brake(campaign, running, campaign_id, why): pause it, and ask for acceptance before it resumes. A campaign
-- that is paused for another reason keeps that one
local function hold_by_brake(campaign, running, campaign_id, why)
  local state = redis.call('HMGET', campaign, 'status', 'reason')
  redis.call('HSET', campaign, 'braked', why)
  if state[1] == 'running' then
    return pause_for(campaign, running, campaign_id, 'brake: ' .. why)
  end
  note(campaign, now_ms(), 'system', 'brake_holds', nil, why)
  if not state[2] then
    redis.call('HSET', campaign, 'reason', 'brake: ' .. why)
  end
end

-- is_beyond_brake(campaign) -> whether the brake holds the campaign already, or the campaign sends nothing any more
local function is_beyond_brake(campaign)
  local state = redis.call('HMGET', campaign, 'status', 'braked')
  return not is_under_way(state[1]) or state[2] ~= false
end

-- brake_limits(campaign, default) -> limits; default: of campaigns whose content an earlier version has stored
local function brake_limits(campaign, default)
  local c = redis.call('HMGET', campaign, 'brake_bounce_pct', 'brake_complaint_pct', 'brake_after')
  local limits = {}
  for place = 1, 3 do
    limits[place] = tonumber(c[place] or default[place]) or false
  end
  return limits
end
