-- What every script shares. A job's state lives in three places that must agree: its record, the tenant's indexes and
-- the event stream; `move` is the only function that changes them.
local P = 'clipline:'
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

-- Ends a job that is not running: out of the queue, body kept for a retry, final state. Returns nothing.
local function end_waiting(id, who, queue, state, problem, now, keep_s, keep_events)
  redis.call('ZREM', queue, id)
  if redis.call('EXISTS', 'arq:job:' .. id) == 1 then
    redis.call('RENAME', 'arq:job:' .. id, P .. 'body:' .. id)
    redis.call('EXPIRE', P .. 'body:' .. id, keep_s)
  end
  redis.call('DEL', 'arq:retry:' .. id)
  redis.call('HSET', record(id), 'finished', now, 'error', problem)
  redis.call('EXPIRE', record(id), keep_s)
  move(id, who, state, now, keep_events)
end

