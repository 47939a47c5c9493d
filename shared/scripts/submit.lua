-- Admit, record and enqueue one job, or refuse it and leave nothing behind.
-- Closes: two submits passing a full queue's bound together; an event or wake-up without its job; a slot with two
-- current jobs; two jobs for one Idempotency-Key.
-- KEYS: queue, arq body, record, tenant's jobs
-- ARGV: id, tenant, lane, max depth, body, body ttl ms, defer ms, session or '', client id or '', deadline ms or '',
--       slot or '', idempotency key or '', digest, blob or '', tenant's weight, max open jobs of the tenant,
--       jobs/s of the tenant (0: any), burst, then fields and values of the record
local queue, body_key, rec, index = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, tenant, lane, most, ttl_ms = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[6]
local known_key, digest, blob, weight = ARGV[12], ARGV[13], ARGV[14], ARGV[15]
local now = now_ms()

if known_key ~= '' then
  local known = redis.call('HMGET', known_key, 'job', 'digest')
  -- A key can outlive its job, when the ledger keeps few of them.
  if known[1] and redis.call('EXISTS', record(known[1])) == 1 then
    if known[2] ~= digest then return {'reused', known[1]} end
    return {'known', known[1]}
  end
end
if redis.call('EXISTS', body_key, rec) > 0 then return {'exists', id} end

local depth = redis.call('ZCARD', queue)
if depth >= most then return {'full', tostring(depth), wait_s(lane_key(lane, 'out:'), depth - most + 1, now)} end

local open = redis.call('ZCARD', tenant_key(tenant, 'jobs:queued')) + redis.call('ZCARD', tenant_key(tenant, 'jobs:running'))
local may_open = tonumber(ARGV[16])
if open >= may_open then
  return {'busy', tostring(open), wait_s(tenant_key(tenant, 'out:'), open - may_open + 1, now)}
end

-- A token bucket: `burst` tokens, `rate` more each second, one for each job.
local rate, burst, tokens = tonumber(ARGV[17]), tonumber(ARGV[18]), nil
if rate > 0 then
  local bucket = redis.call('HMGET', tenant_key(tenant, 'tokens'), 'left', 'at')
  tokens = math.min(burst, tonumber(bucket[1] or burst) + (now - tonumber(bucket[2] or now)) / 1000 * rate)
  if tokens < 1 then return {'limited', tostring(rate), math.max(1, math.ceil((1 - tokens) / rate))} end
end

redis.call('PSETEX', body_key, ttl_ms, ARGV[5])
if tokens then
  redis.call('HSET', tenant_key(tenant, 'tokens'), 'left', tokens - 1, 'at', now)
  redis.call('EXPIRE', tenant_key(tenant, 'tokens'), math.ceil(burst / rate) + 1)
end
if known_key ~= '' then
  redis.call('HSET', known_key, 'job', id, 'digest', digest)
  redis.call('EXPIRE', known_key, math.min(KEEP_S, 86400))
  redis.call('HSET', rec, 'known_by', known_key)
end
if blob ~= '' then redis.call('PSETEX', P .. 'blob:' .. id, ttl_ms, blob) end
redis.call('ZADD', index, now, id)
-- A tenant with open jobs is known already.
if open == 0 then redis.call('ZADD', P .. 'tenants', 'NX', now, tenant) end
local due = now + tonumber(ARGV[7])
if due > now then
  redis.call('ZADD', queue, due, id)
else
  forget_tags_of_idle(lane)
  redis.call('ZADD', queue, tag(lane, tenant, weight), id)
end
move(id, {tenant, ARGV[8], ARGV[9], false, lane}, 'queued', now, due, 'id', id, 'tenant', tenant, 'lane', lane,
  'created', now, 'due', due, 'attempts', 0, unpack(ARGV, 19))
if ARGV[10] ~= '' then redis.call('HSET', rec, 'deadline', now + tonumber(ARGV[10])) end

local slot = ARGV[11]
if slot ~= '' then
  local old = take_slot(tenant, ARGV[8], slot, id)
  local who = old and identity(old)
  if who and who[4] == 'queued' and redis.call('EXISTS', lease_key(old)) == 0 then
    end_waiting(old, who, 'superseded', now)
  elseif who and who[4] == 'running' then
    redis.call('HSET', record(old), 'cancel', 'superseded')
    redis.call('PUBLISH', P .. 'control', 'superseded ' .. old)
  end
end

-- By age at every eighth job, which is twice as often as it takes to keep up.
local recorded = redis.call('ZCARD', index)
if recorded > KEEP_JOBS or recorded % 8 == 0 then trim(tenant, now) end
wake(lane)
return {'queued', id, tostring(depth)}
