-- Give a member of a team a session of their own, whose marks are those of the team's; the same one again for a name
-- that has one.
-- Closes: one name with two sessions, or two names with one number; a member's session without its team.
-- KEYS: team's session
-- ARGV: tenant, session, name, id of a new session, when
local tenant, name = ARGV[1], ARGV[3]
local team = use_session(tenant, ARGV[2])
if not team then return {'missing'} end
local key = session_key(tenant, team)
local known = redis.call('HGET', key .. ':seats', name)
if known and renew_session(tenant, known) then return {'known', known, team} end

if too_many_sessions(tenant) then return {'many'} end
local number = redis.call('HGET', key .. ':members', name)
if not number then
  number = redis.call('HLEN', key .. ':members') + 1
  if number > MAX_MEMBERS then return {'full'} end
  redis.call('HSET', key .. ':members', name, number)
end
redis.call('HSET', key .. ':seats', name, ARGV[4])
belongs_to(tenant, team, ':members')
belongs_to(tenant, team, ':seats')
local mine = session_key(tenant, ARGV[4])
redis.call('HSET', mine, 'created', ARGV[5], 'team', team, 'by', number, 'name', name)
redis.call('EXPIRE', mine, SESSION_S)
note_session(tenant, ARGV[4])
tell_session(tenant, team, '', name, 0, {})
return {'joined', ARGV[4], team}
