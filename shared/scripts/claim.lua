-- Give a worker up to n runnable jobs of one lane, walking past those that others hold.
-- Closes: two workers starting one job; a job that is claimed but not recorded as running; an expired job that starts.
-- KEYS: queue
-- ARGV: worker, n, lease ms, keep events, keep s, expired problem, lane
local queue, worker, wanted = KEYS[1], ARGV[1], tonumber(ARGV[2])
local now = now_ms()
local out, offset, page = {}, 0, 128
while #out < wanted * 2 do
  local found = redis.call('ZRANGEBYSCORE', queue, '-inf', now, 'WITHSCORES', 'LIMIT', offset, page)
  if #found == 0 then break end
  local gone = 0
  for i = 1, #found, 2 do
    if #out >= wanted * 2 then break end
    local id, score = found[i], found[i + 1]
    local rec = record(id)
    if redis.call('EXISTS', 'arq:in-progress:' .. id) == 0 then
      local deadline = tonumber(redis.call('HGET', rec, 'deadline') or 'inf')
      local who = identity(id)
      local cancel = redis.call('HGET', rec, 'cancel')
      if who[1] and now > deadline then
        end_waiting(id, who, queue, 'expired', ARGV[6], now, tonumber(ARGV[5]), ARGV[4])
        gone = gone + 1
      else
        redis.call('SET', 'arq:in-progress:' .. id, worker, 'PX', ARGV[3])
        if not who[1] then
          -- A stock arq client enqueued this one: the ledger learns of it now; the worker fills in the rest.
          redis.call('HSET', rec, 'id', id, 'tenant', 'default', 'lane', ARGV[7], 'kind', 'search', 'created', score,
            'collection', '')
          redis.call('ZADD', tenant_key('default', 'jobs'), score, id)
          who = {'default', false, false, false}
        end
        redis.call('HSET', rec, 'worker', worker, 'started', now)
        redis.call('HINCRBY', rec, 'attempts', 1)
        move(id, who, 'running', now, ARGV[4])
        out[#out + 1] = id
        out[#out + 1] = score
      end
    end
  end
  offset = offset + page - gone
end
return out
