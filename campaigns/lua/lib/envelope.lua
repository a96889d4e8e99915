-- envelope: a message for SendEmail, as Dramatiq itself would encode it.
--
-- send_email_message(batch_id, c, retries, recipients, now) -> the encoded message
-- c: the campaign's id and list_version; recipients: encoded, with commas between
local function send_email_message(batch_id, c, retries, recipients, now)
  return table.concat({
    '{"queue_name":"send_email","actor_name":"SendEmail","args":["', c.id, '","', c.list_version, '",[', recipients,
    ']],"kwargs":{},"options":{"redis_message_id":"', batch_id, '"', retries == '0' and '' or ',"retries":' .. retries,
    '},"message_id":"', batch_id, '","message_timestamp":', string.format('%.0f', now), '}' })
end
