-- What every script shares. A job's state lives in four places that must agree: its record, the tenant's indexes, the
-- lane's indexes and the event stream; `move` is the only function that changes them.
local P = 'clipline:'
local STATES = {'succeeded', 'failed', 'cancelled', 'superseded', 'expired', 'dead', 'queued', 'running'}
-- A score in a queue is either a virtual start tag, or milliseconds since 1970, which passed this mark in 2001.
local REAL = 1000000000000
local HISTORY_KEPT = 10
local WAKES_KEPT = 256
-- As arq's run_job, which does not count tries then.
local TRIES_KEPT_S = 88400
-- Where a lane's virtual time stands among its tenants' finish tags; no tenant has this name.
local V = ''
local function record(id) return P .. 'job:' .. id end
local function lease_key(id) return 'arq:in-progress:' .. id end
local function queue_key(lane) return P .. 'queue:' .. lane end
local function lane_key(lane, rest) return P .. 'lane:' .. lane .. (rest and ':' .. rest or '') end
local function tenant_key(tenant, rest) return P .. 'tenant:' .. tenant .. ':' .. rest end
local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function emit(id, who, state, now)
  redis.call('XADD', P .. 'events', 'MAXLEN', '~', KEEP_EVENTS, '*',
    't', who[1] or '', 'j', id, 's', who[2] or '', 'c', who[3] or '', 'st', state, 'at', now)
end

-- {tenant, session, client id, state, lane}, each false when there is none.
local function identity(id)
  return redis.call('HMGET', record(id), 'tenant', 'session', 'client_id', 'state', 'lane')
end

local function is_waiting_or_running(state) return state == 'queued' or state == 'running' end

-- Counts what left a lane and a tenant, in steps of ten seconds; `wait_s` reads it.
local function count_out(who, now)
  local step = math.floor(now / 10000)
  for _, key in ipairs({lane_key(who[5], 'out:' .. step), tenant_key(who[1], 'out:' .. step)}) do
    if redis.call('INCR', key) == 1 then redis.call('EXPIRE', key, 80) end
  end
end

-- Seconds until `wanted` more have left, at the pace of the last minute; 1 to 60.
local function wait_s(prefix, wanted, now)
  local step, left, span = math.floor(now / 10000), 0, 1
  for back = 0, 6 do
    local count = tonumber(redis.call('GET', prefix .. (step - back)) or 0)
    left = left + count
    if count > 0 then span = math.max(1, back * 10 + (now % 10000) / 1000) end
  end
  if left == 0 then return 60 end
  return math.max(1, math.min(60, math.ceil(wanted * span / left)))
end

-- `since`: from when a job waits, or since when it runs. What follows are fields of the record that change with it.
local function move(id, who, state, now, since, ...)
  local tenant, old, lane = who[1], who[4], who[5]
  if old then
    redis.call('ZREM', tenant_key(tenant, 'jobs:' .. old), id)
    if is_waiting_or_running(old) then redis.call('ZREM', lane_key(lane, old), id) end
  end
  redis.call('ZADD', tenant_key(tenant, 'jobs:' .. state), now, id)
  redis.call('HSET', record(id), 'state', state, ...)
  if is_waiting_or_running(state) then
    redis.call('ZADD', lane_key(lane, state), since or now, id)
  elseif is_waiting_or_running(old) then
    count_out(who, now)
  end
  emit(id, who, state, now)
end

-- Puts a token for one idle worker; the list is bounded, lost tokens are covered by the workers' fallback tick.
local function wake(lane)
  local tokens = P .. 'wake:' .. lane
  if redis.call('RPUSH', tokens, '1') > WAKES_KEPT then redis.call('LTRIM', tokens, -WAKES_KEPT, -1) end
end

-- Start-time fair queueing (Goyal, Vin, Cheng, SIGCOMM 1996): a job starts at S = max(V, its tenant's last finish), and
-- its tenant finishes at S + 1 / weight; V is the tag of the job that was claimed last. `in front`: a job that already
-- had its turn is charged again but does not queue up again.
local function tag(lane, tenant, weight, in_front)
  local tags = redis.call('HMGET', lane_key(lane, 'finish'), V, tenant)
  local v = tonumber(tags[1] or 1)
  local start = math.max(v, tonumber(tags[2] or 1))
  redis.call('HSET', lane_key(lane, 'finish'), tenant, start + 1 / (tonumber(weight) or 1))
  return in_front and v or start
end

-- When nothing waits there is nothing to be fair about: tags begin anew, and so stay far below REAL.
local function forget_tags_of_idle(lane)
  local head = redis.call('ZRANGE', queue_key(lane), 0, 0, 'WITHSCORES')[2]
  if not head or tonumber(head) >= REAL then redis.call('DEL', lane_key(lane, 'finish')) end
end

-- Whether the worker may still end or hand back the job: its lease is there, or lapsed and nobody took the job.
local function holds(id, worker)
  local holder = redis.call('GET', lease_key(id))
  if holder then return holder == worker end
  local found = redis.call('HMGET', record(id), 'worker', 'state')
  return found[1] == worker and is_waiting_or_running(found[2])
end

-- Keeps why an attempt failed: a msgpack array of attempt, worker, start, end and problem, made by joining its parts.
local function remember(id, now, problem)
  local rec = record(id)
  local found = redis.call('HMGET', rec, 'attempts', 'worker', 'started')
  local n = redis.call('HINCRBY', rec, 'told', 1)
  local parts = cmsgpack.pack(tonumber(found[1] or 0), found[2] or '', tonumber(found[3] or now), now)
  redis.call('HSET', rec, 'h' .. n, string.char(0x95) .. parts .. problem)
  redis.call('HDEL', rec, 'h' .. (n - HISTORY_KEPT))
end

-- What was asked stays as long as the record, so that the job can be run again: its body and the picture beside it.
local function keep_body(id)
  if redis.call('EXISTS', 'arq:job:' .. id) == 0 then return end
  redis.call('RENAME', 'arq:job:' .. id, P .. 'body:' .. id)
  redis.call('EXPIRE', P .. 'body:' .. id, KEEP_S)
  redis.call('EXPIRE', P .. 'blob:' .. id, KEEP_S)
end

-- What a job asked that succeeded is shown as long as its result is; of a large one its size is told.
local function keep_request(id, ttl_ms)
  local body = 'arq:job:' .. id
  local size = redis.call('STRLEN', body)
  if size > KEEP_REQUEST_BYTES then
    redis.call('DEL', body)
    redis.call('HSET', record(id), 'dropped', size)
  elseif size > 0 then
    redis.call('RENAME', body, P .. 'body:' .. id)
    redis.call('PEXPIRE', P .. 'body:' .. id, ttl_ms)
  end
end

-- Forgets an ended job altogether.
local function drop(tenant, id, state)
  redis.call('ZREM', tenant_key(tenant, 'jobs'), id)
  redis.call('ZREM', tenant_key(tenant, 'jobs:' .. state), id)
  if is_waiting_or_running(state) then
    local lane = redis.call('HGET', record(id), 'lane')
    if lane then redis.call('ZREM', lane_key(lane, state), id) end
  end
  -- The Idempotency-Key too, unless a later job has it by now.
  local known_key = redis.call('HGET', record(id), 'known_by')
  if known_key and redis.call('HGET', known_key, 'job') == id then redis.call('DEL', known_key) end
  redis.call('DEL', record(id), P .. 'body:' .. id, P .. 'blob:' .. id, 'arq:result:' .. id)
end

-- Dead letters have bounds of their own, by count and by age; returns how many went.
local function trim_dead(tenant, now)
  local index = tenant_key(tenant, 'jobs:dead')
  for gone = 0, 15 do
    local head = redis.call('ZRANGE', index, 0, 0, 'WITHSCORES')
    if not head[1] then return gone end
    local young = tonumber(head[2]) >= now - KEEP_DEAD_S * 1000
    if young and redis.call('ZCARD', index) <= KEEP_DEAD then return gone end
    drop(tenant, head[1], 'dead')
  end
  return 16
end

-- Ends a job that is not running: out of the queue, body kept for a retry, final state. Returns nothing.
local function end_waiting(id, who, state, now)
  redis.call('ZREM', queue_key(who[5]), id)
  keep_body(id)
  redis.call('DEL', 'arq:retry:' .. id)
  redis.call('HDEL', record(id), 'cancel')
  move(id, who, state, now, nil, 'finished', now, 'error', problem_of(state))
  redis.call('EXPIRE', record(id), KEEP_S)
  if state == 'dead' then trim_dead(who[1], now) end
end

-- A job that a stock arq worker ran is still `queued` in our record, but no longer in its queue.
local function is_open(id, state)
  if not is_waiting_or_running(state) then return false end
  local lane = redis.call('HGET', record(id), 'lane')
  return lane and redis.call('ZSCORE', queue_key(lane), id)
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
-- the others from being trimmed. Returns how many went.
local function trim(tenant, now)
  local index, oldest = tenant_key(tenant, 'jobs'), now - KEEP_S * 1000
  local over = redis.call('ZCARD', index) - KEEP_JOBS
  for gone = 0, 15 do
    local created = redis.call('ZRANGE', index, 0, 0, 'WITHSCORES')[2]
    if over <= 0 and not (created and tonumber(created) < oldest) then return gone end
    local id, state, at = first_ended(tenant)
    if not id or (over <= 0 and at >= oldest) then return gone end
    drop(tenant, id, state)
    over = over - 1
  end
  return 16
end

