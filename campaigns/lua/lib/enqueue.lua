-- enqueue: puts an encoded message on one of Dramatiq's queues, as Dramatiq's own dispatch script does.
--
-- $queue     list: message ids
-- $messages  hash: message id -> encoded message
local function enqueue(queue, messages, message_id, message)
  redis.call('HSET', messages, message_id, message)
  redis.call('RPUSH', queue, message_id)
end
