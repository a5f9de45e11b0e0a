-- Counts a try in every counter, or in none when one is full.
-- KEYS: a sorted set per counter, of when what was let through was.
-- ARGV: now in ms, a name for this try, then quota and window in ms of each counter.
-- Answers whether it was let through, then for each counter how many count and when the oldest was.
local now = tonumber(ARGV[1])
local allowed = 1
for i, key in ipairs(KEYS) do
  local quota, window = tonumber(ARGV[1 + 2 * i]), tonumber(ARGV[2 + 2 * i])
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - window)
  -- What lies ahead counts as of now: a clock was set back.
  for _, ahead in ipairs(redis.call('ZRANGEBYSCORE', key, '(' .. ARGV[1], '+inf')) do
    redis.call('ZADD', key, now, ahead)
  end
  if redis.call('ZCARD', key) >= quota then allowed = 0 end
end
local answer = { allowed }
for i, key in ipairs(KEYS) do
  if allowed == 1 then
    redis.call('ZADD', key, now, ARGV[2])
    redis.call('PEXPIRE', key, tonumber(ARGV[2 + 2 * i]))
  end
  local oldest = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
  answer[2 * i] = redis.call('ZCARD', key)
  answer[2 * i + 1] = tonumber(oldest[2] or ARGV[1])
end
return answer
