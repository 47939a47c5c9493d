-- A session, its sets in one collection, and its members' names, as they are at one moment.
-- KEYS: session
-- ARGV: tenant, session, collection or ''
local tenant, session = ARGV[1], ARGV[2]
local owner = use_session(tenant, session)
if not owner then return false end
local sets = ARGV[3] ~= '' and redis.call('HGETALL', session_key(tenant, owner, ':in:' .. ARGV[3])) or {}
return {redis.call('HGETALL', session_key(tenant, owner)), redis.call('HGETALL', session_key(tenant, session)), sets, redis.call('HGETALL', session_key(tenant, owner, ':members'))}
