-- Whether a session exists; if so its life starts anew, and that of its team, with all that belongs to them. Answers
-- besides which session holds its marks, and what a search in a collection and a slot must know: how many positive marks
-- there are, and in which collection the slot's last query was, if there was one.
-- Closes: marks that end before the session that they belong to.
-- KEYS: session
-- ARGV: tenant, session, collection or '', slot or ''
local tenant, session = ARGV[1], ARGV[2]
local owner = use_session(tenant, session)
if not owner then return {0} end
if ARGV[3] == '' then return {1, owner} end
local marks = redis.call('HGET', session_key(tenant, owner, ':in:' .. ARGV[3]), 'np') or 0
return {1, owner, tonumber(marks), redis.call('HGET', session_key(tenant, session, ':last:' .. ARGV[4]), 'collection')}
