-- Understood by SQLite and by PostgreSQL.

CREATE TABLE IF NOT EXISTS plans (
	id        TEXT PRIMARY KEY,
	name      TEXT NOT NULL,
	max_bytes BIGINT NOT NULL -- of one photo
);

CREATE TABLE IF NOT EXISTS regions (
	id   TEXT PRIMARY KEY, -- as the program's flags have it
	name TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS tenants (
	id     TEXT PRIMARY KEY, -- the keys of its photos begin with it: letters, digits, hyphens
	name   TEXT NOT NULL,
	plan   TEXT NOT NULL REFERENCES plans (id),
	region TEXT NOT NULL REFERENCES regions (id) -- in which new photos are kept; those it has stay where they are
);

CREATE TABLE IF NOT EXISTS users (
	email    TEXT PRIMARY KEY, -- in lower case
	name     TEXT NOT NULL,
	tenant   TEXT NOT NULL REFERENCES tenants (id),
	password TEXT NOT NULL -- its bcrypt hash
);

CREATE TABLE IF NOT EXISTS photos (
	id       TEXT PRIMARY KEY, -- the receipt's
	tenant   TEXT NOT NULL REFERENCES tenants (id),
	owner    TEXT NOT NULL, -- the email of who uploaded it
	bucket   TEXT NOT NULL, -- its name
	key      TEXT NOT NULL,
	filename TEXT NOT NULL,
	size     BIGINT NOT NULL, -- in bytes
	added    TEXT NOT NULL, -- by RFC 3339, in UTC
	UNIQUE (bucket, key)
);
CREATE INDEX IF NOT EXISTS photos_of_tenant ON photos (tenant, added);

-- As the stores of scs want it.
CREATE TABLE IF NOT EXISTS sessions (
	token  TEXT PRIMARY KEY,
	data   BYTEA NOT NULL,
	expiry TIMESTAMPTZ NOT NULL
);
CREATE INDEX IF NOT EXISTS sessions_expiry ON sessions (expiry);

CREATE TABLE IF NOT EXISTS secrets (
	name  TEXT PRIMARY KEY,
	value BYTEA NOT NULL
);

INSERT INTO regions (id, name) VALUES
	('eu', 'Europe'),
	('us', 'the United States')
ON CONFLICT (id) DO NOTHING;

-- Change what a plan allows here, or in the database.
INSERT INTO plans (id, name, max_bytes) VALUES
	('free', 'Free', 2000000),
	('studio', 'Studio', 25000000)
ON CONFLICT (id) DO NOTHING;
