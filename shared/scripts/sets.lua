-- A searcher's sets in one collection. They are fields of one hash, so that one command reads them all: `s17` is what
-- bucket 17 of the set `s` holds, as entries of nine bytes: an id (eight, little endian) and the number of the member
-- who put it there. Buckets keep look-ups short, whatever a set holds; within one the oldest entry comes first.
-- s seen, x excluded, p positive, n negative; of the excluded groups g each is a field, whose value is the member.
local SET_LETTERS = {'s', 'x', 'p', 'n', 'g'}
local SPREAD_SETS = {s = true, x = true}
-- An item is a good example or a bad one: the newer mark takes the other's place.
local OPPOSITE = {p = 'n', n = 'p'}
local BUCKETS = 509
local ENTRY_BYTES = 9
local ALL_ENTRIES = '*'
local MAX_MARKS = 1000
local MAX_GROUPS = 10000
local CLEARED_AT_ONCE = 1000
local UNDO_KEPT = 100
local UNDO_BYTES = 2097152
-- Events stay in Redis for a while, so they hold no more than a page of items.
local TOLD_BYTES = 1024

local function open_sets(key)
  local found = redis.call('HMGET', key, 'ns', 'nx', 'np', 'nn', 'ng', 'rev', 'call', 'more')
  local sets = {key = key, fields = {}, dirty = {}, n = {}, rev = tonumber(found[6] or 0), call = found[7], forgotten = 0}
  sets.more = found[8] == '1'
  for i, set in ipairs(SET_LETTERS) do sets.n[set] = tonumber(found[i] or 0) end
  return sets
end

local function field_of(set, key)
  if set == 'g' then return 'g' .. key end
  return set .. (SPREAD_SETS[set] and struct.unpack('<I8', key) % BUCKETS or 0)
end

local function bucket_text(sets, name)
  local text = sets.fields[name]
  if not text then
    text = redis.call('HGET', sets.key, name) or ''
    sets.fields[name] = text
  end
  return text
end

local function put_bucket(sets, name, text)
  sets.fields[name], sets.dirty[name] = text, true
end

-- Where an id's entry begins in a bucket.
local function entry_at(text, id)
  local at = 1
  while true do
    local found = string.find(text, id, at, true)
    if not found or found % ENTRY_BYTES == 1 then return found end
    at = found + 1
  end
end

local function set_remove(sets, set, key)
  local name = field_of(set, key)
  local text = bucket_text(sets, name)
  local at = set == 'g' and (text ~= '' and 1 or nil) or set ~= 'g' and entry_at(text, key) or nil
  if not at then return nil end
  sets.n[set] = sets.n[set] - 1
  if set == 'g' then
    put_bucket(sets, name, '')
    return key .. text
  end
  put_bucket(sets, name, string.sub(text, 1, at - 1) .. string.sub(text, at + ENTRY_BYTES))
  return string.sub(text, at, at + ENTRY_BYTES - 1)
end

-- Forgets what was seen first, or nearly so, when seen and excluded together are more than allowed: the first entry of
-- the bucket that grew, as the buckets fill evenly.
local function make_room(sets, key, removed)
  local bucket = struct.unpack('<I8', key) % BUCKETS
  for step = 0, BUCKETS do
    local name = 's' .. (bucket + step) % BUCKETS
    local text = bucket_text(sets, name)
    if #text > (step == 0 and ENTRY_BYTES or 0) then
      put_bucket(sets, name, string.sub(text, ENTRY_BYTES + 1))
      sets.n.s, sets.forgotten = sets.n.s - 1, sets.forgotten + 1
      removed[#removed + 1] = string.sub(text, 1, ENTRY_BYTES)
      return
    end
  end
end

local function set_add(sets, set, entry, forgotten)
  local key, by = string.sub(entry, 1, -2), string.sub(entry, -1)
  local name = field_of(set, key)
  local text = bucket_text(sets, name)
  if set == 'g' then
    if text ~= '' then return false end
    put_bucket(sets, name, by)
  else
    if entry_at(text, key) then return false end
    put_bucket(sets, name, text .. entry)
  end
  sets.n[set] = sets.n[set] + 1
  if SPREAD_SETS[set] and sets.n.s + sets.n.x > MAX_SEEN then make_room(sets, key, forgotten) end
  return true
end

-- Entries that travel as one text: of groups each with its length before it.
local function split_entries(set, text)
  local entries, at = {}, 1
  while at <= #text do
    local size = ENTRY_BYTES
    if set == 'g' then
      size = struct.unpack('<I2', text, at)
      at = at + 2
    end
    entries[#entries + 1] = string.sub(text, at, at + size - 1)
    at = at + size
  end
  return entries
end

-- Takes a good part of a set out of it; returns that part, and whether there is more.
local function clear_part(sets, set)
  local entries = {}
  if set == 'g' then
    for _, name in ipairs(redis.call('HKEYS', sets.key)) do
      if string.sub(name, 1, 1) == 'g' then entries[#entries + 1] = set_remove(sets, set, string.sub(name, 2)) end
      if #entries >= CLEARED_AT_ONCE then break end
    end
    return entries
  end
  for bucket = 0, SPREAD_SETS[set] and BUCKETS - 1 or 0 do
    local name = set .. bucket
    local text = bucket_text(sets, name)
    if text ~= '' then
      for _, entry in ipairs(split_entries(set, text)) do entries[#entries + 1] = entry end
      put_bucket(sets, name, '')
      sets.n[set] = sets.n[set] - #text / ENTRY_BYTES
      if #entries >= CLEARED_AT_ONCE then break end
    end
  end
  return entries
end

-- Changes are {set, entries to add, entries to remove}; returns what really changed, in the same form.
local function apply_changes(sets, changes)
  local done = {}
  for _, change in ipairs(changes) do
    local set, added, removed, forgotten, moved = change[1], {}, {}, {}, {}
    local opposite = OPPOSITE[set]
    if change[3] == ALL_ENTRIES then
      removed = clear_part(sets, set)
      sets.more = sets.n[set] > 0
    else
      for _, entry in ipairs(change[3]) do removed[#removed + 1] = set_remove(sets, set, string.sub(entry, 1, -2)) end
    end
    for _, entry in ipairs(change[2]) do
      if set_add(sets, set, entry, forgotten) then added[#added + 1] = entry end
      if opposite then moved[#moved + 1] = set_remove(sets, opposite, string.sub(entry, 1, -2)) end
    end
    -- Taken back from its end, room is there again before what made room returns.
    if #forgotten > 0 then done[#done + 1] = {'s', {}, forgotten} end
    if #moved > 0 then done[#done + 1] = {opposite, {}, moved} end
    if #added + #removed > 0 then done[#done + 1] = {set, added, removed} end
  end
  return done
end

-- Which set has more than it may.
local function too_many_entries(sets)
  if sets.n.x > MAX_SEEN then return 'exclude' end
  if sets.n.p > MAX_MARKS then return 'positive' end
  if sets.n.n > MAX_MARKS then return 'negative' end
  if sets.n.g > MAX_GROUPS then return 'exclude_groups' end
end

-- `call` names the call that made this change.
local function write_sets(sets, call)
  for name in pairs(sets.dirty) do
    if sets.fields[name] == '' then
      redis.call('HDEL', sets.key, name)
    else
      redis.call('HSET', sets.key, name, sets.fields[name])
    end
  end
  sets.rev, sets.changed = sets.rev + 1, true
  redis.call('HSET', sets.key, 'rev', sets.rev, 'ns', sets.n.s, 'nx', sets.n.x, 'np', sets.n.p, 'nn', sets.n.n,
    'ng', sets.n.g, 'call', call, 'more', sets.more and 1 or 0)
end

-- What a change answers: the revision, the sizes, what was forgotten, how many changes can be taken back and redone,
-- whether anything changed, and whether more of the same is to follow.
local function told_sets(sets, log)
  return {sets.rev, sets.n.s, sets.n.x, sets.n.p, sets.n.n, sets.n.g, sets.forgotten, redis.call('LLEN', log .. 'done'),
    redis.call('LLEN', log .. 'undone'), sets.changed and 1 or 0, sets.more and 1 or 0}
end

-- Changes are kept up to a number and up to a size; the oldest go first.
local function keep_change(sets, log, packed)
  local list = log .. 'done'
  local size, bytes = redis.call('RPUSH', list, packed), redis.call('HINCRBY', sets.key, 'log', #packed)
  while size > UNDO_KEPT or (bytes > UNDO_BYTES and size > 1) do
    bytes = redis.call('HINCRBY', sets.key, 'log', -#redis.call('LPOP', list))
    size = size - 1
  end
end

-- A new change of a member ends what that member could redo.
local function forget_undone(log, by)
  for _, packed in ipairs(redis.call('LRANGE', log .. 'undone', 0, -1)) do
    if cmsgpack.unpack(packed)[1] == by then redis.call('LREM', log .. 'undone', 1, packed) end
  end
end

-- The member's newest change in a list, packed {member, whether it goes on with the one before, what changed}, and
-- where it is.
local function newest_of(list, by)
  for at = -1, -UNDO_KEPT, -1 do
    local packed = redis.call('LINDEX', list, at)
    if not packed then return nil end
    if cmsgpack.unpack(packed)[1] == by then return packed, at end
  end
end

-- The changes that take changes back, the last one first.
local function reversed_changes(done)
  local back = {}
  for at = #done, 1, -1 do back[#back + 1] = {done[at][1], done[at][3], done[at][2]} end
  return back
end

-- The other way round: entries as one text.
local function join_entries(set, entries)
  if set ~= 'g' then return table.concat(entries) end
  local parts = {}
  for at, entry in ipairs(entries) do parts[at] = struct.pack('<I2', #entry) .. entry end
  return table.concat(parts)
end

-- What changed, as fields of an event: for each set in its turn what was added, and what was removed. `much` instead when
-- it is too much, or would not tell all: what made room, or whose mark came back. Whoever hears of it reads the sets then.
local function fields_of_changes(sets, by, done)
  local fields, size = {}, sets.forgotten > 0 and TOLD_BYTES + 1 or 0
  for at, change in ipairs(done) do
    for _, entry in ipairs(change[2]) do
      if string.sub(entry, -1) ~= by then size = TOLD_BYTES + 1 end
    end
    for _, part in ipairs({{'+', change[2]}, {'-', change[3]}}) do
      local text = join_entries(change[1], part[2])
      size = size + #text
      fields[#fields + 1], fields[#fields + 2] = at .. part[1] .. change[1], text
    end
  end
  return size > TOLD_BYTES and {'much', 1} or fields
end

-- Tells whoever listens to the session, or to a member's, of its new revision.
local function tell_sets(tenant, owner, collection, by, name, sets, done)
  tell_session(tenant, owner, collection, name, sets.rev, fields_of_changes(sets, by, done))
end
