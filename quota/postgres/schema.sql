-- What accounts use, and the uploads that are known. Running it again changes nothing.

CREATE TABLE IF NOT EXISTS postern_quota_accounts (
  name     text PRIMARY KEY,
  bytes    bigint NOT NULL DEFAULT 0, -- stored
  files    bigint NOT NULL DEFAULT 0,
  reserved bigint NOT NULL DEFAULT 0, -- bytes of uploads that are under way
  uploads  bigint NOT NULL DEFAULT 0,
  full_at  timestamptz NOT NULL DEFAULT '-infinity' -- when its rate has recovered
) WITH (fillfactor = 50);

-- state: r reserved, s settled, c cancelled, d its file was released
CREATE TABLE IF NOT EXISTS postern_quota_uploads (
  id      text NOT NULL,
  account text NOT NULL,
  state   text NOT NULL,
  bytes   bigint NOT NULL,
  ends    timestamptz NOT NULL,
  PRIMARY KEY (id, account)
);
CREATE INDEX IF NOT EXISTS postern_quota_ends ON postern_quota_uploads (account, ends);

-- postern_quota_lock keeps others from accounts until the end of the transaction, and ends
-- what has come to its end.
CREATE OR REPLACE FUNCTION postern_quota_lock(names text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  wanted text[] := ARRAY(SELECT DISTINCT n FROM unnest(names) n ORDER BY n);
  got bigint;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE 'quotas need the isolation level read committed';
  END IF;
  LOOP
    PERFORM 1 FROM postern_quota_accounts WHERE name = ANY(wanted) ORDER BY name FOR UPDATE;
    GET DIAGNOSTICS got = ROW_COUNT;
    EXIT WHEN got = cardinality(wanted);
    INSERT INTO postern_quota_accounts (name) SELECT n FROM unnest(wanted) n ORDER BY n ON CONFLICT DO NOTHING;
  END LOOP;
  WITH ended AS (
    DELETE FROM postern_quota_uploads WHERE (id, account) IN (
      SELECT id, account FROM postern_quota_uploads
      WHERE account = ANY(wanted) AND ends <= clock_timestamp() ORDER BY ends LIMIT 1000)
    RETURNING account, state, bytes
  ), sums AS (
    SELECT account, sum(bytes)::bigint AS bytes, count(*) AS uploads FROM ended WHERE state = 'r' GROUP BY account
  )
  UPDATE postern_quota_accounts a SET reserved = a.reserved - s.bytes, uploads = a.uploads - s.uploads
  FROM sums s WHERE a.name = s.account;
END $$;

-- postern_quota_reserve reserves for several uploads, each of them against all of its
-- accounts or against none. Each is {id, bytes, us, accounts: [{name, bytes, files, uploads,
-- every}]}, with times in microseconds. It returns those that were refused, by their place
-- from 0, with the place of the account that has no room, and what that uses.
CREATE OR REPLACE FUNCTION postern_quota_reserve(requests jsonb)
RETURNS TABLE (request int, account int, bytes bigint, files bigint, reserved bigint, uploads bigint, full_us bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  r jsonb;
  a jsonb;
  u postern_quota_accounts;
  moment timestamptz;
  size bigint;
  every interval;
  fits boolean;
BEGIN
  -- What a crash takes back is counted at the receipt.
  PERFORM set_config('synchronous_commit', 'off', true);
  PERFORM postern_quota_lock(ARRAY(
    SELECT acc->>'name' FROM jsonb_array_elements(requests) req, jsonb_array_elements(req->'accounts') acc));
  FOR i IN 0 .. jsonb_array_length(requests) - 1 LOOP
    r := requests->i;
    CONTINUE WHEN EXISTS (SELECT FROM postern_quota_uploads WHERE id = r->>'id');
    size := (r->>'bytes')::bigint;
    moment := clock_timestamp();
    fits := true;
    FOR k IN 0 .. jsonb_array_length(r->'accounts') - 1 LOOP
      a := r->'accounts'->k;
      SELECT * INTO u FROM postern_quota_accounts WHERE name = a->>'name';
      every := (a->>'every')::bigint * interval '1 microsecond';
      fits := coalesce(u.bytes + u.reserved + size <= (a->>'bytes')::bigint, true)
        AND coalesce(u.files + u.uploads < (a->>'files')::bigint, true)
        AND coalesce(u.uploads < (a->>'uploads')::bigint, true)
        AND coalesce(greatest(u.full_at, moment) + every <= moment + interval '1 minute', true);
      IF NOT fits THEN
        RETURN QUERY SELECT i, k, u.bytes, u.files, u.reserved, u.uploads,
          (extract(epoch FROM greatest(u.full_at, moment) - moment) * 1000000)::bigint;
        EXIT;
      END IF;
    END LOOP;
    CONTINUE WHEN NOT fits;
    FOR k IN 0 .. jsonb_array_length(r->'accounts') - 1 LOOP
      a := r->'accounts'->k;
      UPDATE postern_quota_accounts SET reserved = reserved + size, uploads = uploads + 1,
        full_at = coalesce(greatest(full_at, moment) + (a->>'every')::bigint * interval '1 microsecond', full_at)
      WHERE name = a->>'name';
      INSERT INTO postern_quota_uploads VALUES
        (r->>'id', a->>'name', 'r', size, moment + (r->>'us')::bigint * interval '1 microsecond');
    END LOOP;
  END LOOP;
END $$;

-- postern_quota_end ends an upload: it settles, cancels or releases it, as op says. It
-- returns whether it was cancelled before.
CREATE OR REPLACE FUNCTION postern_quota_end(op text, upload text, names text[], size bigint, us bigint)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  known postern_quota_uploads;
  until timestamptz;
BEGIN
  PERFORM postern_quota_lock(names);
  until := clock_timestamp() + us * interval '1 microsecond';
  SELECT * INTO known FROM postern_quota_uploads WHERE id = upload LIMIT 1;
  CASE op
  WHEN 's' THEN
    IF known.state = 'c' THEN
      RETURN true;
    ELSIF known.state = 's' THEN
      UPDATE postern_quota_uploads SET ends = greatest(ends, until) WHERE id = upload;
      RETURN false;
    END IF;
  WHEN 'c' THEN
    IF known.state <> 'r' THEN RETURN false; END IF;
    size := 0;
  WHEN 'd' THEN
    IF known.state <> 's' THEN RETURN false; END IF;
    size := -coalesce(known.bytes, size);
  END CASE;
  WITH gone AS (DELETE FROM postern_quota_uploads WHERE id = upload RETURNING account, state, bytes)
  UPDATE postern_quota_accounts a SET reserved = a.reserved - g.bytes, uploads = a.uploads - 1
  FROM gone g WHERE a.name = g.account AND g.state = 'r';
  IF op <> 'c' THEN
    UPDATE postern_quota_accounts SET bytes = greatest(0, bytes + size), files = greatest(0, files + CASE op WHEN 's' THEN 1 ELSE -1 END)
    WHERE name = ANY(names);
  END IF;
  INSERT INTO postern_quota_uploads SELECT DISTINCT upload, n, op, greatest(0, size), until FROM unnest(names) n;
  RETURN false;
END $$;

-- postern_quota_adjust adds to what an account has stored.
CREATE OR REPLACE FUNCTION postern_quota_adjust(account_name text, more bigint, more_files bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM postern_quota_lock(ARRAY[account_name]);
  UPDATE postern_quota_accounts SET bytes = greatest(0, bytes + more), files = greatest(0, files + more_files)
  WHERE name = account_name;
END $$;

-- postern_quota_usage tells what accounts use, in their order.
CREATE OR REPLACE FUNCTION postern_quota_usage(names text[])
RETURNS TABLE (bytes bigint, files bigint, reserved bigint, uploads bigint, full_us bigint) LANGUAGE sql STABLE AS $$
  SELECT coalesce(a.bytes, 0), coalesce(a.files, 0), coalesce(a.reserved, 0) - e.bytes, coalesce(a.uploads, 0) - e.uploads,
    coalesce((extract(epoch FROM greatest(a.full_at, statement_timestamp()) - statement_timestamp()) * 1000000)::bigint, 0)
  FROM unnest(names) WITH ORDINALITY AS n(name, place)
  LEFT JOIN postern_quota_accounts a ON a.name = n.name
  CROSS JOIN LATERAL (
    SELECT coalesce(sum(u.bytes), 0)::bigint AS bytes, count(*) AS uploads FROM postern_quota_uploads u
    WHERE u.account = n.name AND u.state = 'r' AND u.ends <= statement_timestamp()) e
  ORDER BY n.place
$$;

-- postern_quota_tidy forgets what has ended, and accounts that use nothing.
CREATE OR REPLACE FUNCTION postern_quota_tidy() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM postern_quota_lock(ARRAY(
    SELECT DISTINCT account FROM postern_quota_uploads WHERE ends <= clock_timestamp() LIMIT 1000));
  DELETE FROM postern_quota_accounts WHERE name IN (
    SELECT name FROM postern_quota_accounts a
    WHERE bytes = 0 AND files = 0 AND reserved = 0 AND uploads = 0 AND full_at <= clock_timestamp()
      AND NOT EXISTS (SELECT FROM postern_quota_uploads u WHERE u.account = a.name)
    ORDER BY name FOR UPDATE SKIP LOCKED);
END $$;
