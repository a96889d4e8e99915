-- tell(campaign_id): every web process is to know that an operator has changed a campaign. Where Redis allows no channels they see it
-- with their next look.
local function tell(campaign_id)
  redis.pcall('PUBLISH', 'postrider:changed', campaign_id)
end
