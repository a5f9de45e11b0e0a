-- What who runs the platform asks of the kill switch, from another process than the one that trades. Every server looks
-- here many times a second and does what is not done.

CREATE TABLE kill_requests (
    id BIGINT NOT NULL PRIMARY KEY,
    -- Of one tenant; the whole platform when empty.
    only_tenant BIGINT REFERENCES tenants (id),
    -- What to stop, as JSON.
    scope TEXT NOT NULL,
    -- stop, close or release.
    act TEXT NOT NULL,
    reason TEXT NOT NULL,
    asked_at BIGINT NOT NULL,
    -- When every desk that it concerns had committed it.
    done_at BIGINT,
    -- Why it cannot be done, when it cannot.
    refused TEXT
);
CREATE INDEX kill_requests_by_state ON kill_requests (done_at, id);
