-- Files of Expert Advisors: what they are. Their bytes lie in the object store, under tenant and id.
-- ea_versions.file_name, file_size and file_digest were never written; nothing reads them any more, and a later migration
-- takes them out once no server of the version before runs.

CREATE TABLE ea_files (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    id BIGINT NOT NULL,
    version_id BIGINT NOT NULL,
    -- What it is called when it is saved.
    name TEXT NOT NULL,
    -- Bytes, and their SHA-256, before they were sealed.
    size BIGINT NOT NULL,
    digest BYTEA NOT NULL,
    -- The key that its bytes are sealed with, itself sealed; empty: they lie open.
    data_key BYTEA NOT NULL,
    -- Who uploaded it; none: a command.
    uploaded_by BIGINT,
    uploaded_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, version_id, name),
    FOREIGN KEY (tenant_id, version_id) REFERENCES ea_versions (tenant_id, id),
    FOREIGN KEY (tenant_id, uploaded_by) REFERENCES users (tenant_id, id)
);
