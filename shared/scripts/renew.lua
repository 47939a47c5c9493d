-- Renew the leases that a worker still holds. Returns, for each id: 'ok', 'lost' or why it was asked to stop.
-- Closes: renewing a lease that another worker has taken meanwhile.
-- KEYS: none
-- ARGV: worker, lease ms, ids…
local out = {}
for i = 3, #ARGV do
  local lease = 'arq:in-progress:' .. ARGV[i]
  if redis.call('GET', lease) ~= ARGV[1] then
    out[#out + 1] = 'lost'
  else
    redis.call('PEXPIRE', lease, ARGV[2])
    out[#out + 1] = redis.call('HGET', record(ARGV[i]), 'cancel') or 'ok'
  end
end
return out
