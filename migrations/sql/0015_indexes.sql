-- Rows without a reference, and entries without an actor, are not looked for by them: most movements, and all that strategies do.
DROP INDEX ledger_transactions_by_reference;
CREATE UNIQUE INDEX ledger_transactions_by_reference ON ledger_transactions (tenant_id, account_id, memo_reference)
    WHERE memo_reference IS NOT NULL;
DROP INDEX audit_entries_by_actor;
CREATE INDEX audit_entries_by_actor ON audit_entries (tenant_id, actor_id, seq) WHERE actor_id IS NOT NULL;
