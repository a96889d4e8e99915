-- name_columns: notes the names that the templates take from the list, of a campaign whose content was stored without
-- them. A content that is put has brought its own.
--
-- KEYS  campaign
-- ARGV  template_names
-- ->    nothing
--
-- template_names: JSON
if redis.call('HEXISTS', campaign, 'content') == 1 then
  redis.call('HSETNX', campaign, 'template_names', template_names)
end
