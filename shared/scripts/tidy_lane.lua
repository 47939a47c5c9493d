-- Settle jobs that a stock arq worker ended: they left the queue, and nobody told their records. Forget tags of the past.
-- Closes: a job that is settled while it is being claimed or run again.
-- KEYS: queue
-- ARGV: lane
-- Returns how many were settled.
local lane, now, settled = ARGV[1], now_ms(), 0

local function outcome(id)
  local result = redis.call('GET', 'arq:result:' .. id)
  if not result then return 'failed' end
  local read, envelope = pcall(cmsgpack.unpack, result)
  if read and not envelope.s then return 'failed' end
  return 'succeeded'
end

for _, state in ipairs({'queued', 'running'}) do
  for _, id in ipairs(redis.call('ZRANGE', lane_key(lane, state), 0, 127)) do
    if not redis.call('ZSCORE', KEYS[1], id) then
      local who = identity(id)
      if who[1] and who[4] == state then
        move(id, who, outcome(id), now, nil, 'finished', now)
        redis.call('EXPIRE', record(id), KEEP_S)
      else
        redis.call('ZREM', lane_key(lane, state), id)
      end
      settled = settled + 1
    end
  end
end

-- Stock clients ask here for jobs to be aborted, which nobody heeds; arq keeps no such entry for longer than a day.
redis.call('ZREMRANGEBYSCORE', 'arq:abort', '-inf', now - 86400000)

-- A finish tag that V has passed says nothing any more.
local v = tonumber(redis.call('HGET', lane_key(lane, 'finish'), V) or 1)
local found = redis.call('HSCAN', lane_key(lane, 'finish'), 0, 'COUNT', 512)[2]
for i = 1, #found, 2 do
  if found[i] ~= V and tonumber(found[i + 1]) <= v then redis.call('HDEL', lane_key(lane, 'finish'), found[i]) end
end
return settled
