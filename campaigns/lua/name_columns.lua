-- name_columns: stores the column names that the templates use, for a campaign whose content was stored without them.
-- A PUT of the content stores these names itself.
--
-- KEYS  campaign
-- ARGV  template_names
-- ->    nothing
--
-- template_names: JSON
if redis.call('HEXISTS', campaign, 'content') == 1 then
  redis.call('HSETNX', campaign, 'template_names', template_names)
end
