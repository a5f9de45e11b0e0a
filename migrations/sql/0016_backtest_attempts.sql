-- How often somebody began to run a backtest: what kills whoever runs it is not begun for ever.
ALTER TABLE backtests ADD COLUMN attempts BIGINT NOT NULL DEFAULT 0;
