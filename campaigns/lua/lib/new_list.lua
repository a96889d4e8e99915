-- new_list: the steps with which a campaign begins to parse a list.
-- For scripts that declare campaign, progress, parsing, queue, messages, held, list_keys and campaign_id.
--
-- $campaign  hash: status, list_version    $parsing  zset of campaigns
-- list_keys: all keys that the previous list may have left
--include clock
--include enqueue
--include held

-- begin_parsing(list_version, message_id, message): forget the previous list, and enqueue the message that parses
local function begin_parsing(list_version, message_id, message)
  drop_held(held)
  for _, key in ipairs(list_keys) do
    redis.call('DEL', key)
  end
  redis.call('DEL', progress)
  redis.call('HDEL', campaign, 'reason', 'parser', 'list_key', 'list_size', 'list_facts', 'list_sample', 'unaccepted',
    'unaccepted_with_list')
  redis.call('HSET', campaign, 'status', 'parsing', 'list_version', list_version, 'slices', 0)
  redis.call('ZADD', parsing, now_ms(), campaign_id)
  enqueue(queue, messages, message_id, message)
  notify('parse_csv')
end
