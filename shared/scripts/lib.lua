-- What every script shares. A job's state lives in three places that must agree: its record, the tenant's indexes and
-- the event stream; `move` is the only function that changes them.
local P = 'clipline:'
local STATES = {'succeeded', 'failed', 'cancelled', 'superseded', 'expired', 'dead', 'queued', 'running'}
local function record(id) return P .. 'job:' .. id end
local function tenant_key(tenant, rest) return P .. 'tenant:' .. tenant .. ':' .. rest end
local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function emit(id, fields, state, now, keep_events)
  redis.call('XADD', P .. 'events', 'MAXLEN', '~', keep_events, '*',
    't', fields[1] or '', 'j', id, 's', fields[2] or '', 'c', fields[3] or '', 'st', state, 'at', now)
end

local function identity(id)
  return redis.call('HMGET', record(id), 'tenant', 'session', 'client_id', 'state')
end

local function move(id, who, state, now, keep_events)
  local tenant, old = who[1], who[4]
  if old then redis.call('ZREM', tenant_key(tenant, 'jobs:' .. old), id) end
  redis.call('ZADD', tenant_key(tenant, 'jobs:' .. state), now, id)
  redis.call('HSET', record(id), 'state', state)
  emit(id, who, state, now, keep_events)
end

-- Puts a token for one idle worker; the list is bounded, lost tokens are covered by the workers' fallback tick.
local function wake()
  redis.call('RPUSH', P .. 'wake', '1')
  redis.call('LTRIM', P .. 'wake', -256, -1)
end

-- What was asked stays as long as the record, so that the job can be run again: its body and the picture beside it.
local function keep_body(id, keep_s)
  if redis.call('EXISTS', 'arq:job:' .. id) == 0 then return end
  redis.call('RENAME', 'arq:job:' .. id, P .. 'body:' .. id)
  redis.call('EXPIRE', P .. 'body:' .. id, keep_s)
  redis.call('EXPIRE', P .. 'blob:' .. id, keep_s)
end

-- Ends a job that is not running: out of the queue, body kept for a retry, final state. Returns nothing.
local function end_waiting(id, who, queue, state, problem, now, keep_s, keep_events)
  redis.call('ZREM', queue, id)
  keep_body(id, keep_s)
  redis.call('DEL', 'arq:retry:' .. id)
  redis.call('HDEL', record(id), 'cancel')
  redis.call('HSET', record(id), 'finished', now, 'error', problem)
  redis.call('EXPIRE', record(id), keep_s)
  move(id, who, state, now, keep_events)
end

-- A job that a stock arq worker ran is still `queued` in our record, but no longer in its queue.
local function is_open(id, state)
  if state ~= 'queued' and state ~= 'running' then return false end
  local lane = redis.call('HGET', record(id), 'lane')
  return lane and redis.call('ZSCORE', P .. 'queue:' .. lane, id)
end

-- The tenant's job that ended first, its state, and when.
local function first_ended(tenant)
  local id, state, at
  for _, name in ipairs(STATES) do
    local head = redis.call('ZRANGE', tenant_key(tenant, 'jobs:' .. name), 0, 0, 'WITHSCORES')
    if head[1] and not is_open(head[1], name) and not (at and at <= tonumber(head[2])) then
      id, state, at = head[1], name, tonumber(head[2])
    end
  end
  return id, state, at
end

-- Trims a tenant's ledger by count and by age, a little at every new job. Open jobs stay, however old, and do not keep
-- the others from being trimmed.
local function trim(tenant, now, keep_jobs, keep_s)
  local index, oldest = tenant_key(tenant, 'jobs'), now - keep_s * 1000
  local over = redis.call('ZCARD', index) - keep_jobs
  for _ = 1, 16 do
    local created = redis.call('ZRANGE', index, 0, 0, 'WITHSCORES')[2]
    if over <= 0 and not (created and tonumber(created) < oldest) then return end
    local id, state, at = first_ended(tenant)
    if not id or (over <= 0 and at >= oldest) then return end
    redis.call('ZREM', index, id)
    redis.call('ZREM', tenant_key(tenant, 'jobs:' .. state), id)
    redis.call('DEL', record(id), P .. 'body:' .. id, P .. 'blob:' .. id, 'arq:result:' .. id)
    over = over - 1
  end
end

