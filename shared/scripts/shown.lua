-- Keep what a search was and what it showed: the query, so that the next page needs no encoding; the page, so that it
-- does not come again; and, if the client wants that, its items among those seen.
-- Closes: a page of a search that was superseded meanwhile, which its client throws away; a page in the one place and
-- not in the other.
-- KEYS: session
-- ARGV: tenant, session, collection, slot, job, '1' when the search named that slot, the query or '' to go on with the last one,
--       items shown (entries), groups shown (entries), '1' to remember, its entry in the history or '', its words
local tenant, session, collection, slot, job = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local owner, by, name = seat_of(tenant, session)
if not owner then return 0 end
if ARGV[6] == '1' and redis.call('HGET', session_key(tenant, session, ':slots'), slot) ~= job then return 0 end

local added = ''
if ARGV[10] == '1' and not (redis.call('EXISTS', session_key(tenant, owner, ':in:' .. collection)) == 0
    and too_many_collections(tenant, owner)) then
  local sets, entries = open_sets(session_key(tenant, owner, ':in:' .. collection)), split_entries('s', ARGV[8])
  for at, entry in ipairs(entries) do entries[at] = string.sub(entry, 1, -2) .. by end
  local done = apply_changes(sets, {{'s', entries, {}}})
  for _, change in ipairs(done) do added = added .. table.concat(change[2]) end
  if added ~= '' then
    write_sets(sets, '')
    tell_sets(tenant, owner, collection, by, name, sets, done)
    belongs_to(tenant, owner, ':in:' .. collection)
  end
end

local last = session_key(tenant, session, ':last:' .. slot)
if ARGV[7] ~= '' then
  local entry = keep_history(tenant, owner, by, last, ARGV[11], ARGV[12])
  redis.call('DEL', last)
  redis.call('HSET', last, 'query', ARGV[7], 'collection', collection, 'n', 0, 'entry', entry, 'words', ARGV[12],
    'asked', now_ms())
end
local at = redis.call('HINCRBY', last, 'at', 1)
redis.call('HINCRBY', last, 'n', #ARGV[8] / ENTRY_BYTES)
redis.call('HSET', last, 'job', job, 'slot', ARGV[6], 'added', added, 'i' .. at, ARGV[8], 'g' .. at, ARGV[9])
belongs_to(tenant, session, ':last:' .. slot)
drop_old_slots(tenant, session)
return 1
