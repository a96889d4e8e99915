-- enqueue: puts an encoded message on one of Dramatiq's queues, as Dramatiq's own dispatch script does.
--
-- $queue     list: message ids
-- $messages  hash: message id -> encoded message
local function enqueue(queue, messages, message_id, message)
  redis.call('HSET', messages, message_id, message)
  redis.call('RPUSH', queue, message_id)
end

-- notify(queue): tell the consumers of a queue, by its name without the prefix, that it has something. Where Redis
-- allows no channels, their slow polling finds it later.
local function notify(queue)
  redis.pcall('PUBLISH', 'postrider:notify', queue)
end
