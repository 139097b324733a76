-- KEYS[1]: the licence's SANs, scored by the end of their hold. ARGV: quota, hold in seconds, SANs.
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local needed = 0
for i = 3, #ARGV do
    if not redis.call('ZSCORE', KEYS[1], ARGV[i]) then needed = needed + 1 end
end
if redis.call('ZCARD', KEYS[1]) + needed > tonumber(ARGV[1]) then return 0 end
for i = 3, #ARGV do
    redis.call('ZADD', KEYS[1], 'GT', now + tonumber(ARGV[2]), ARGV[i])
end
return 1
