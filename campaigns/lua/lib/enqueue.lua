-- enqueue: puts an encoded message on one of Dramatiq's queues, as Dramatiq's own dispatch script does.
--
-- $queue     list: message ids
-- $messages  hash: message id -> encoded message
local function enqueue(queue, messages, message_id, message)
  redis.call('HSET', messages, message_id, message)
  redis.call('RPUSH', queue, message_id)
end

-- wake(queue): ring for the consumers of a queue, by its name without the prefix. Where Redis allows no channels they
-- find out by themselves, later.
local function wake(queue)
  redis.pcall('PUBLISH', 'postrider:bell', queue)
end
