-- Change a session's sets in one collection, and remember how to take it back.
-- Closes: two members who change one set together, of whom one would be written over; counts without their entries; a
-- change without the way back. A call that is repeated after a lost answer changes nothing.
-- KEYS: session
-- ARGV: tenant, session, collection, call, '1' when it goes on with the change before, then for each set its letter,
--       entries to add (their member's place left open), entries to remove or '*'
local tenant, collection = ARGV[1], ARGV[3]
local owner, by, name = use_session(tenant, ARGV[2])
if not owner then return {'missing'} end
local rest = ':in:' .. collection
local sets = open_sets(session_key(tenant, owner, rest))
local log = session_key(tenant, owner, ':log:' .. collection .. ':')
if sets.call == ARGV[4] then return told_sets(sets, log) end
if sets.rev == 0 and too_many_collections(tenant, owner) then return {'full', 'collection'} end

sets.more = false
local changes = {}
for i = 6, #ARGV, 3 do
  local set, added = ARGV[i], split_entries(ARGV[i], ARGV[i + 1])
  for at, entry in ipairs(added) do added[at] = string.sub(entry, 1, -2) .. by end
  changes[#changes + 1] = {set, added, ARGV[i + 2] == ALL_ENTRIES and ALL_ENTRIES or split_entries(set, ARGV[i + 2])}
end
local done = apply_changes(sets, changes)
local full = too_many_entries(sets)
if full then return {'full', full} end
if #done > 0 then
  write_sets(sets, ARGV[4])
  keep_change(sets, log, cmsgpack.pack({by, ARGV[5] == '1', done}))
  forget_undone(log, by)
  tell_sets(tenant, owner, collection, by, name, sets, done)
  belongs_to(tenant, owner, rest)
  belongs_to(tenant, owner, ':log:' .. collection .. ':done')
end
return told_sets(sets, log)
