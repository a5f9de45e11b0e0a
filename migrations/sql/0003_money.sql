-- What a person wrote to a movement of money that they asked for. An account takes each reference once; what trading
-- causes has none.

ALTER TABLE ledger_transactions ADD COLUMN memo_reference TEXT;
ALTER TABLE ledger_transactions ADD COLUMN note TEXT;
CREATE UNIQUE INDEX ledger_transactions_by_reference ON ledger_transactions (tenant_id, account_id, memo_reference);
