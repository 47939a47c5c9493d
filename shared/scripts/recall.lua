-- What a search must know of its session: its sets in the collection, and the last query of its slot with what that has
-- shown. A page that nobody got is taken back first: that of this same job, which runs again, and that of a job which
-- had not succeeded when this one was submitted, so that its client never saw it.
-- Closes: a page that was lost with its worker, or superseded as it was ready, and is skipped for ever.
-- KEYS: session
-- ARGV: tenant, session, collection, slot, job
local tenant, session, job = ARGV[1], ARGV[2], ARGV[5]
local owner, by, name = seat_of(tenant, session)
if not owner then return false end
local state = session_key(tenant, owner, ':in:' .. ARGV[3])
local last = session_key(tenant, session, ':last:' .. ARGV[4])
local page = redis.call('HMGET', last, 'job', 'at', 'added', 'collection', 'slot')
if page[1] then
  local at = tonumber(page[2])
  if not was_shown(page[1], job, page[5] == '1') then
    if page[3] and page[3] ~= '' then
      local sets = open_sets(session_key(tenant, owner, ':in:' .. page[4]))
      local done = apply_changes(sets, {{'s', {}, split_entries('s', page[3])}})
      write_sets(sets, '')
      tell_sets(tenant, owner, page[4], by, name, sets, done)
    end
    redis.call('HINCRBY', last, 'n', -#redis.call('HGET', last, 'i' .. at) / ENTRY_BYTES)
    redis.call('HDEL', last, 'i' .. at, 'g' .. at)
  end
  redis.call('HDEL', last, 'job', 'added')
end
return {redis.call('HGETALL', state), redis.call('HGETALL', last)}
