-- Take a member's newest change of the session's sets back, or do again what was taken back last.
-- Closes: one change that two calls take back; a change in neither list, or in both. A call that is repeated after a
-- lost answer changes nothing.
-- KEYS: session
-- ARGV: tenant, session, collection, call, 'undo' or 'redo', which part of the call this is
local tenant, collection, back = ARGV[1], ARGV[3], ARGV[5] == 'undo'
local owner, by, name = use_session(tenant, ARGV[2])
if not owner then return {'missing'} end
local rest, logs = ':in:' .. collection, ':log:' .. collection .. ':'
local sets, log = open_sets(session_key(tenant, owner, rest)), session_key(tenant, owner, logs)
local known, part = string.match(sets.call or '', '^(.*):(%d+)$')
if known == ARGV[4] and tonumber(part) >= tonumber(ARGV[6]) then return told_sets(sets, log) end

local list = log .. (back and 'done' or 'undone')
local packed, at = newest_of(list, by)
if not packed then return {'nothing'} end
local change = cmsgpack.unpack(packed)
local done = apply_changes(sets, back and reversed_changes(change[3]) or change[3])
local full = too_many_entries(sets)
-- Others may have filled the set meanwhile.
if full then return {'full', full} end
redis.call('LSET', list, at, '')
redis.call('LREM', list, -1, '')
-- Of a large change more is to follow: what came before this part, or what comes after it.
local beside = newest_of(list, by)
sets.more = beside and (back and change[2] or not back and cmsgpack.unpack(beside)[2])
write_sets(sets, ARGV[4] .. ':' .. ARGV[6])
tell_sets(tenant, owner, collection, by, name, sets, done)
if back then
  redis.call('HINCRBY', sets.key, 'log', -#packed)
  redis.call('RPUSH', log .. 'undone', packed)
else
  keep_change(sets, log, packed)
end
belongs_to(tenant, owner, rest)
belongs_to(tenant, owner, logs .. (back and 'undone' or 'done'))
return told_sets(sets, log)
