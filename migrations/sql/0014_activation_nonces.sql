-- The nonce of the request that took a seat, kept with what happened: an `activate` that was recorded on its way and is sent
-- again later is known by it. Events from before have none.
ALTER TABLE licence_events ADD COLUMN nonce TEXT;
