-- Orders that wait at the venue, and positions that change while they are open.

-- market, limit, stop, stop_limit, trailing_stop.
ALTER TABLE orders ADD COLUMN kind TEXT NOT NULL DEFAULT 'market';
ALTER TABLE orders ADD COLUMN limit_price BIGINT;
ALTER TABLE orders ADD COLUMN stop_price BIGINT;
-- How far the level of a trailing stop order stays behind, and how far it moves at least.
ALTER TABLE orders ADD COLUMN stop_distance BIGINT;
ALTER TABLE orders ADD COLUMN stop_step BIGINT;
-- gtc, gtd, ioc, fok, day.
ALTER TABLE orders ADD COLUMN time_in_force TEXT NOT NULL DEFAULT 'gtc';
ALTER TABLE orders ADD COLUMN expires_at BIGINT;
-- How the stop-loss of the position it opens follows the price.
ALTER TABLE orders ADD COLUMN trail_distance BIGINT;
ALTER TABLE orders ADD COLUMN trail_step BIGINT;
-- The first order of the group of which only one may trade.
ALTER TABLE orders ADD COLUMN oco_order_id BIGINT;
ALTER TABLE orders ADD COLUMN triggered BIGINT NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN filled BIGINT NOT NULL DEFAULT 0;
-- The position that the closed one was closed against.
ALTER TABLE orders ADD COLUMN closes_by_position_id BIGINT;

ALTER TABLE positions ADD COLUMN closed_lots BIGINT NOT NULL DEFAULT 0;
ALTER TABLE positions ADD COLUMN realised BIGINT NOT NULL DEFAULT 0;
ALTER TABLE positions ADD COLUMN trail_distance BIGINT;
ALTER TABLE positions ADD COLUMN trail_step BIGINT;
