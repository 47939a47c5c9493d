-- Give a worker runnable jobs from several lanes, in the order of KEYS, walking past those that others hold.
-- Closes: two workers starting one job; a job that is claimed but not recorded as running; an expired job that starts; a
-- job that starts again after it was asked to stop, because its worker died or handed it back before it could.
-- KEYS: one queue for each lane
-- ARGV: worker, lease ms, keep events, keep s, keep jobs, the problems of expired, cancelled and superseded jobs, then for
-- each lane: its name, how many are wanted
-- Returns id, score, lane for each claimed job, one after the other.
local worker, lease_ms, keep_events, keep_s = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local keep_jobs = tonumber(ARGV[5])
local problems = {expired = ARGV[6], cancelled = ARGV[7], superseded = ARGV[8]}
local now, page = now_ms(), 128

local function adopt(id, lane, score)
  -- A stock arq client enqueued this one: the ledger learns of it now, the worker fills in what was asked.
  redis.call('HSET', record(id), 'id', id, 'tenant', 'default', 'lane', lane, 'kind', 'search', 'created', score,
    'collection', '')
  redis.call('ZADD', tenant_key('default', 'jobs'), score, id)
  trim('default', now, keep_jobs, keep_s)
  return {'default', false, false, false}
end

-- How a job that waits must end without being started, or nil.
local function verdict(id)
  local found = redis.call('HMGET', record(id), 'cancel', 'deadline')
  if found[1] then return found[1] end
  if now > tonumber(found[2] or 'inf') then return 'expired' end
end

local function take(id, score, lane, out)
  local rec, who = record(id), identity(id)
  if not who[1] then who = adopt(id, lane, score) end
  redis.call('SET', 'arq:in-progress:' .. id, worker, 'PX', lease_ms)
  redis.call('HSET', rec, 'worker', worker, 'started', now)
  redis.call('HINCRBY', rec, 'attempts', 1)
  move(id, who, 'running', now, keep_events)
  out[#out + 1] = id
  out[#out + 1] = score
  out[#out + 1] = lane
end

local function claim(queue, lane, wanted, out)
  local offset, taken = 0, 0
  while taken < wanted do
    local found = redis.call('ZRANGEBYSCORE', queue, '-inf', now, 'WITHSCORES', 'LIMIT', offset, page)
    if #found == 0 then return end
    offset = offset + page
    for i = 1, #found, 2 do
      local id = found[i]
      if taken < wanted and redis.call('EXISTS', 'arq:in-progress:' .. id) == 0 then
        local state = verdict(id)
        if state then
          end_waiting(id, identity(id), queue, state, problems[state], now, keep_s, keep_events)
          offset = offset - 1
        else
          take(id, found[i + 1], lane, out)
          taken = taken + 1
        end
      end
    end
  end
end

local out = {}
for i, queue in ipairs(KEYS) do
  claim(queue, ARGV[7 + 2 * i], tonumber(ARGV[8 + 2 * i]), out)
end
return out
