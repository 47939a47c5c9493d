-- Admit, record and enqueue one job, or refuse it and leave nothing behind.
-- Closes: two submits passing a full queue's bound together; an event or wake-up without its job; a slot with two
-- current jobs; two jobs for one Idempotency-Key.
-- KEYS: queue, arq body, record, tenant's jobs
-- ARGV: id, tenant, lane, max depth, body, body ttl ms, defer ms, record (msgpack map), keep jobs, keep s, keep events,
--       slot key or '', idempotency key or '', digest, blob or '', superseded problem
local queue, body_key, rec, index = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, tenant = ARGV[1], ARGV[2]
local keep_s, keep_events = tonumber(ARGV[10]), ARGV[11]
local now = now_ms()

if ARGV[13] ~= '' then
  local known = redis.call('HMGET', ARGV[13], 'job', 'digest')
  -- A key can outlive its job, when the ledger keeps few of them.
  if known[1] and redis.call('EXISTS', record(known[1])) == 1 then
    if known[2] ~= ARGV[14] then return {'reused', known[1]} end
    return {'known', known[1]}
  end
end
if redis.call('EXISTS', body_key, rec) > 0 then return {'exists', id} end
local depth = redis.call('ZCARD', queue)
if depth >= tonumber(ARGV[4]) then return {'full', tostring(depth)} end

if ARGV[13] ~= '' then
  redis.call('HSET', ARGV[13], 'job', id, 'digest', ARGV[14])
  redis.call('EXPIRE', ARGV[13], math.min(keep_s, 86400))
end
redis.call('PSETEX', body_key, ARGV[6], ARGV[5])
if ARGV[15] ~= '' then redis.call('PSETEX', P .. 'blob:' .. id, ARGV[6], ARGV[15]) end
local fields = cmsgpack.unpack(ARGV[8])
local flat = {}
for k, v in pairs(fields) do flat[#flat + 1] = k flat[#flat + 1] = v end
redis.call('HSET', rec, 'id', id, 'tenant', tenant, 'lane', ARGV[3], 'created', now, 'attempts', 0, unpack(flat))
if fields['deadline_ms'] then redis.call('HSET', rec, 'deadline', now + tonumber(fields['deadline_ms'])) end
redis.call('ZADD', index, now, id)
redis.call('ZADD', queue, now + tonumber(ARGV[7]), id)
move(id, {tenant, fields['session'], fields['client_id'], false}, 'queued', now, keep_events)

if ARGV[12] ~= '' then
  local old = redis.call('GETSET', ARGV[12], id)
  redis.call('EXPIRE', ARGV[12], 86400)
  if old then
    local who = identity(old)
    if who[4] == 'queued' and redis.call('EXISTS', 'arq:in-progress:' .. old) == 0 then
      end_waiting(old, who, P .. 'queue:' .. redis.call('HGET', record(old), 'lane'), 'superseded', ARGV[16], now,
        keep_s, keep_events)
    elseif who[4] == 'running' then
      redis.call('HSET', record(old), 'cancel', 'superseded')
      redis.call('PUBLISH', P .. 'control', old)
    end
  end
end

trim(tenant, now, tonumber(ARGV[9]), keep_s)
wake()
return {'queued', id, tostring(depth)}
