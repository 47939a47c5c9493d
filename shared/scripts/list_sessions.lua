-- A page of a tenant's sessions, newest first, and where the next one begins. Being listed is no use: none lives longer.
-- Closes: a session that ends between being found and being read.
-- KEYS: the tenant's sessions by when they were made
-- ARGV: tenant, made before (microseconds) or '', how many, how many to look at
-- Returns the place or '', and for each session its id, the milliseconds that it has left, and its fields.
local tenant, most, look = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
local before = ARGV[2] == '' and '+inf' or '(' .. ARGV[2]
local found = redis.call('ZREVRANGEBYSCORE', KEYS[1], before, '-inf', 'WITHSCORES', 'LIMIT', 0, look)
local rows, ended, place = {}, {}, ''
for at = 1, #found, 2 do
  local session = found[at]
  local left = redis.call('PTTL', session_key(tenant, session))
  if left > 0 then
    rows[#rows + 1] = {session, left, redis.call('HGETALL', session_key(tenant, session))}
  else
    ended[#ended + 1] = session
  end
  if #rows == most or at == 2 * look - 1 then
    place = found[at + 1]
    break
  end
end
-- Nothing older is left.
if place == found[#found] and #found < 2 * look then place = '' end
forget_sessions(tenant, ended)
return {place, rows}
