-- windows: whether a campaign is inside its sending windows.
--
-- $campaign  hash: open_windows: "renew_at;open-close,open-close": the next open intervals, in ms; to be computed anew
--            from renew_at on; "" or absent without windows. After the last interval the windows are closed.
--
--- how long to wait for intervals that are not known yet (ms)
local WINDOWS_UNKNOWN_MS = 1000

-- window_opens_in(text, now) -> ms until the windows are open: 0 inside; nil where that is not known
local function window_opens_in(text, now)
  if not text or text == '' then
    return 0
  end
  for open, close in string.gmatch(text, '(%d+)%-(%d+)') do
    if now < tonumber(close) then
      return math.max(0, tonumber(open) - now)
    end
  end
  return nil
end

-- window_is_stale(text, now) -> whether the intervals have to be computed anew
local function window_is_stale(text, now)
  local renew_at = text and string.match(text, '^(%d+);')
  return renew_at and now >= tonumber(renew_at) or false
end
