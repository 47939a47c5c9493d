-- Give a worker runnable jobs from several lanes, in the order of KEYS, each lane in the order of its tags.
-- A claimed job's score becomes the end of its lease: it sorts behind all that wait, and when the lease lapses it is due
-- like a deferred job. So nobody walks past running jobs, except past those that stock arq workers hold.
-- Closes: two workers starting one job; a job that is claimed but not recorded as running; an expired job that starts; a
-- job that starts again after it was asked to stop, because its worker died or handed it back before it could.
-- KEYS: one queue for each lane
-- ARGV: worker, lease ms, then for each lane: its name, how many are wanted
-- Returns ms until the next job falls due (-1: unknown), '1' when there may be more at once, then for each claimed job:
-- id, due, lane, attempts, crashes, first start, deadline or '', body or nil, arq's count of tries.
local worker, lease_ms = ARGV[1], tonumber(ARGV[2])
-- Only ended jobs give memory back, so jobs are handed out even when Redis has none left: it refuses no write of a
-- script that has already written.
redis.call('DEL', P .. 'nothing')
local now, left, out = now_ms(), 1024, {}

local function adopt(id, lane, score)
  -- A stock arq client enqueued this one: the ledger learns of it now, the worker fills in what was asked.
  redis.call('HSET', record(id), 'id', id, 'tenant', 'default', 'lane', lane, 'kind', 'search', 'created', score,
    'due', score, 'collection', '', 'state', 'queued')
  redis.call('ZADD', tenant_key('default', 'jobs'), score, id)
  redis.call('ZADD', P .. 'tenants', 'NX', now, 'default')
  redis.call('ZADD', tenant_key('default', 'jobs:queued'), now, id)
  redis.call('ZADD', lane_key(lane, 'queued'), score, id)
  trim('default', now)
end

-- The worker that held it is gone, or no longer says that it works. Returns whether that was once too often.
local function lapsed(id, holder)
  if holder == worker then return false end
  remember(id, now, problem_of('dead'))
  return redis.call('HINCRBY', record(id), 'crashes', 1) >= MAX_CRASHES
end

-- A time has come: a deferred job's, a stock client's, or the end of a lease. The job gets a tag among those that wait.
local function promote(id, score, lane)
  local held_ms = redis.call('PTTL', lease_key(id))
  if held_ms > 0 then
    local stock = redis.call('GET', lease_key(id)) == '1'
    if not stock then redis.call('ZADD', queue_key(lane), now + held_ms, id) end
    return stock
  end
  local found = redis.call('HMGET', record(id), 'tenant', 'state', 'worker', 'attempts', 'weight', 'cancel',
    'started')
  if not found[1] then adopt(id, lane, score) end
  if found[2] == 'running' then
    if not found[6] and lapsed(id, found[3]) then
      end_waiting(id, identity(id), 'dead', now)
      return false
    end
    -- Its `worker` stays: until somebody takes the job, the one that had it may still end it, or take it again and go on.
    move(id, identity(id), 'queued', now, nil, 'since', found[7] or now)
  end
  local had_its_turn = tonumber(found[4] or 0) > 0
  redis.call('ZADD', queue_key(lane), tag(lane, found[1] or 'default', found[5], had_its_turn), id)
  return false
end

-- arq's own count of tries, for stock workers beside ours: kept from the second on.
local function tries(id, attempts, before)
  local count = math.max(attempts, tonumber(before or 0) + 1)
  if count > 1 then redis.call('SET', 'arq:retry:' .. id, count, 'EX', TRIES_KEPT_S) end
  return count
end

-- Returns ms until the next job falls due, or nil.
local function promote_due(lane)
  local skipped, batch = 0, 1
  while left > 0 do
    local due = redis.call('ZRANGEBYSCORE', queue_key(lane), REAL, '+inf', 'WITHSCORES', 'LIMIT', skipped, batch)
    for i = 1, #due, 2 do
      if tonumber(due[i + 1]) > now then return math.ceil(tonumber(due[i + 1])) - now end
      if promote(due[i], due[i + 1], lane) then skipped = skipped + 1 end
      left = left - 1
    end
    if #due == 0 then return end
    batch = 128
  end
end

-- How a job that waits must end without being started, or nil.
local function verdict(cancel, deadline)
  if cancel then return cancel end
  if now > tonumber(deadline or 'inf') then return 'expired' end
end

local function take(id, lane)
  local rec = record(id)
  local who = redis.call('HMGET', rec, 'tenant', 'session', 'client_id', 'state', 'lane', 'cancel', 'deadline', 'due',
    'attempts', 'crashes', 'first')
  if not who[1] then
    adopt(id, lane, now)
    return take(id, lane)
  end
  local state = verdict(who[6], who[7])
  if state then
    end_waiting(id, who, state, now)
    return 'ended'
  end
  if not redis.call('SET', lease_key(id), worker, 'NX', 'PX', lease_ms) then return 'held' end
  local attempts, first = tonumber(who[9] or 0) + 1, who[11] or tostring(now)
  redis.call('ZADD', queue_key(lane), now + lease_ms, id)
  move(id, who, 'running', now, now, 'worker', worker, 'started', now, 'first', first, 'attempts', attempts)
  for _, value in ipairs({id, who[8] or tostring(now), lane, attempts, who[10] or '0', first, who[7] or ''}) do
    out[#out + 1] = value
  end
  local kept = redis.call('MGET', 'arq:job:' .. id, 'arq:retry:' .. id)
  out[#out + 1] = kept[1]
  out[#out + 1] = tries(id, attempts, kept[2])
  return 'taken'
end

local function claim(lane, wanted)
  local skipped, taken, v = 0, 0, nil
  while taken < wanted and left > 0 do
    local found = redis.call('ZRANGEBYSCORE', queue_key(lane), '-inf', '(' .. REAL, 'WITHSCORES', 'LIMIT', skipped,
      math.min(128, wanted - taken))
    if #found == 0 then break end
    for i = 1, #found, 2 do
      left = left - 1
      local outcome = take(found[i], lane)
      if outcome == 'taken' then
        taken, v = taken + 1, found[i + 1]
      elseif outcome == 'held' then
        skipped = skipped + 1
      end
    end
  end
  -- V is never set back: a stock client may have rewritten a score.
  local finish = lane_key(lane, 'finish')
  -- The tokens that are left tell of jobs that are gone.
  if taken < wanted and left > 0 then redis.call('DEL', P .. 'wake:' .. lane) end
  if v and tonumber(v) > tonumber(redis.call('HGET', finish, V) or 1) then redis.call('HSET', finish, V, v) end
end

local next_ms = -1
for i = 1, #KEYS do
  local lane, wanted = ARGV[1 + 2 * i], tonumber(ARGV[2 + 2 * i])
  if wanted > 0 and not redis.call('HGET', lane_key(lane), 'paused') then
    local ms = promote_due(lane)
    if ms and (next_ms < 0 or ms < next_ms) then next_ms = ms end
    claim(lane, wanted)
  end
end
local answer = {next_ms, left <= 0 and 1 or 0}
for i = 1, #out do answer[#answer + 1] = out[i] end
return answer
