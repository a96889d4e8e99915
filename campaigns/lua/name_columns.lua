-- name_columns: notes the names that the templates take from the list, of a campaign whose content was stored without them. A content
-- that is put has brought its own.
--
-- KEYS  1 campaign   ARGV  1 names, JSON   -> nothing
if redis.call('HEXISTS', KEYS[1], 'content') == 1 then
  redis.call('HSETNX', KEYS[1], 'template_names', ARGV[1])
end
