-- A session is a hash: when it was made, and, named by what they add to its own name, the keys that belong to it and
-- live as long: `:in:` and a collection, what its searcher has marked there; `:log:`, how to take that back; `:last:`
-- and a slot, the last query; `:slots`, the job that took each slot last.
local MAX_COLLECTIONS = 64
local MAX_SLOTS = 16
local SLOTS_UNSWEPT = 64
local MAX_MEMBERS = 64
local HISTORY_MOST = 200
local TYPING_MS = 3000
local function session_key(tenant, session, rest)
  return tenant_key(tenant, 'session:' .. session) .. (rest or '')
end

-- Whose state a session uses, and under which number and name: its own, or its team's. Nothing when it is not there.
local function seat_of(tenant, session)
  local found = redis.call('HMGET', session_key(tenant, session), 'created', 'team', 'by', 'name')
  if not found[1] then return nil end
  return found[2] or session, string.char(tonumber(found[3] or 0)), found[4] or ''
end

-- Notes when a session ends, in the set by which a tenant's sessions are counted, and, once, when it was made, in the
-- set by which they are listed: in microseconds, of which no two have the same.
local function note_session(tenant, session)
  local ends, made, t = tenant_key(tenant, 'sessions'), tenant_key(tenant, 'sessions:made'), redis.call('TIME')
  redis.call('ZADD', ends, now_ms() + SESSION_S * 1000, session)
  redis.call('ZADD', made, 'NX', t[1] * 1000000 + t[2], session)
  redis.call('EXPIRE', ends, SESSION_S)
  redis.call('EXPIRE', made, SESSION_S)
end

-- Takes sessions that have ended out of the sets that count and list them.
local function forget_sessions(tenant, ended)
  if not ended[1] then return end
  redis.call('ZREM', tenant_key(tenant, 'sessions'), unpack(ended))
  redis.call('ZREM', tenant_key(tenant, 'sessions:made'), unpack(ended))
end

-- Whether a tenant has as many sessions as it may. What has ended is forgotten in small portions, so that no call is long.
local function too_many_sessions(tenant)
  local key, now = tenant_key(tenant, 'sessions'), now_ms()
  forget_sessions(tenant, redis.call('ZRANGEBYSCORE', key, '-inf', now, 'LIMIT', 0, 100))
  return redis.call('ZCOUNT', key, '(' .. now, '+inf') >= MAX_SESSIONS
end

-- Starts the life of a session anew, with everything that belongs to it; at most ten times in that life, to be cheap.
local function renew_session(tenant, session)
  local key = session_key(tenant, session)
  local left = redis.call('TTL', key)
  if left < 0 then return false end
  if left > SESSION_S * 0.9 then return true end
  for _, name in ipairs(redis.call('HKEYS', key)) do
    if string.sub(name, 1, 1) == ':' then redis.call('EXPIRE', key .. name, SESSION_S) end
  end
  redis.call('EXPIRE', key, SESSION_S)
  note_session(tenant, session)
  return true
end

-- The same, for whoever uses a session, and with its team's: `seat_of` it, or nothing when one of them is not there.
local function use_session(tenant, session)
  if not renew_session(tenant, session) then return nil end
  local owner, by, name = seat_of(tenant, session)
  if owner ~= session and not renew_session(tenant, owner) then return nil end
  return owner, by, name
end

-- Notes a key that lives and ends with a session; `rest` is what its name has beyond the session's own.
local function belongs_to(tenant, session, rest)
  local key = session_key(tenant, session)
  redis.call('HSET', key, rest, 1)
  redis.call('EXPIRE', key .. rest, SESSION_S)
end

local function too_many_collections(tenant, session)
  local count = 0
  for _, name in ipairs(redis.call('HKEYS', session_key(tenant, session))) do
    if string.sub(name, 1, 4) == ':in:' then count = count + 1 end
  end
  return count >= MAX_COLLECTIONS
end

-- Whether an earlier job's page reached its client: not when the job is the later one itself, which runs again, or ended
-- without a result. A newer search of the same slot makes its client throw away what had not come by then.
local function was_shown(earlier, later, same_slot)
  if earlier == later then return false end
  local found = redis.call('HMGET', record(earlier), 'state', 'finished')
  local state, finished = found[1], tonumber(found[2] or 0)
  -- The record may have been trimmed; and a stock arq worker tells it nothing.
  if not state or redis.call('EXISTS', 'arq:result:' .. earlier) == 1 and is_waiting_or_running(state) then return true end
  if state ~= 'succeeded' then return not same_slot and is_waiting_or_running(state) end
  return not same_slot or finished <= tonumber(redis.call('HGET', record(later), 'created') or finished)
end

-- A session remembers the last queries of so many slots; the one that would end first goes.
local function drop_old_slots(tenant, session)
  local key, slots, first, least = session_key(tenant, session), 0, nil, nil
  for _, name in ipairs(redis.call('HKEYS', key)) do
    if string.sub(name, 1, 6) == ':last:' then
      local left = redis.call('PTTL', key .. name)
      slots = slots + 1
      if not least or left < least then first, least = name, left end
    end
  end
  if slots > MAX_SLOTS then
    redis.call('DEL', key .. first)
    redis.call('HDEL', key, first)
  end
end

-- Gives a slot to a job. Returns the one that had it; slots of jobs that have ended are forgotten now and then, as a
-- client may give each search a slot of its own.
local function take_slot(tenant, session, slot, id)
  local slots = session_key(tenant, session, ':slots')
  local old = redis.call('HGET', slots, slot)
  redis.call('HSET', slots, slot, id)
  if old then return old end
  -- The session may have ended since the search was let in.
  if redis.call('EXISTS', session_key(tenant, session)) == 1 then belongs_to(tenant, session, ':slots') end
  redis.call('EXPIRE', slots, SESSION_S)
  if redis.call('HLEN', slots) % SLOTS_UNSWEPT ~= 0 then return nil end
  local all = redis.call('HGETALL', slots)
  for i = 1, #all, 2 do
    if not is_waiting_or_running(redis.call('HGET', record(all[i + 1]), 'state')) then redis.call('HDEL', slots, all[i]) end
  end
end

-- Adds a query to the history; of what somebody types in a slot, the words as they grow are one, where nothing else of
-- the query changes: `words` begin with all of that. Returns what it kept.
local function keep_history(tenant, owner, by, last, entry, words)
  if entry == '' then return '' end
  local key = session_key(tenant, owner, ':history')
  local before = redis.call('HMGET', last, 'entry', 'words', 'asked')
  local grows = before[2] and before[2] ~= '' and string.sub(words, 1, #before[2]) == before[2]
  if grows and now_ms() - tonumber(before[3]) < TYPING_MS then redis.call('LREM', key, 1, before[1]) end
  entry = by .. entry
  redis.call('LPUSH', key, entry)
  redis.call('LTRIM', key, 0, HISTORY_MOST - 1)
  belongs_to(tenant, owner, ':history')
  return entry
end

-- An event of a session, in the stream of all: a revision of a collection's sets, or, of no collection, a new member or
-- the session's end.
local function tell_session(tenant, owner, collection, name, revision, fields)
  redis.call('XADD', P .. 'events', 'MAXLEN', '~', KEEP_EVENTS, '*', 't', tenant, 'own', owner, 'in', collection,
    'by', name, 'rev', revision, 'at', now_ms(), unpack(fields))
end

-- Ends a session with all that belongs to it, and tells whoever listens to it.
local function end_session(tenant, session)
  local key = session_key(tenant, session)
  for _, name in ipairs(redis.call('HKEYS', key)) do
    -- Large sets are freed beside the commands of others.
    if string.sub(name, 1, 1) == ':' then redis.call('UNLINK', key .. name) end
  end
  redis.call('UNLINK', key)
  forget_sessions(tenant, {session})
  tell_session(tenant, session, '', '', 0, {'end', 1})
end
