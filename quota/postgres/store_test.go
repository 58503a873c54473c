package pgquota_test

import (
	"crypto/rand"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/internal/locktest"
	"github.com/postern-go/postern/internal/quotatest"
	"github.com/postern-go/postern/quota"
	pgquota "github.com/postern-go/postern/quota/postgres"
)

func TestPostgreSQLKeepsTheContract(t *testing.T) {
	t.Parallel()
	quotatest.Contract(t, pgquota.New(shared.pool(t)))
}

func TestReplicasGrantExactlyWhatThereIs(t *testing.T) {
	quotatest.ReplicasGrantExactlyWhatThereIs(t, shared.url(), pgquota.New(shared.pool(t)))
}

func TestWhatAKilledReplicaHasReservedComesBack(t *testing.T) {
	t.Parallel()
	quotatest.WhatAKilledReplicaHasReservedComesBack(t, shared.url(), pgquota.New(shared.pool(t)))
}

func TestAHandlerRefusesAtOnceWherePostgreSQLIsDown(t *testing.T) {
	t.Parallel()
	server := ownServer(t)
	store := pgquota.New(server.pool(t))
	require.NoError(t, reserve(t, store, "a"))
	server.Stop(syscall.SIGQUIT)
	quotatest.AHandlerRefusesAtOnce(t, store)
	require.NoError(t, server.Start())
	require.Eventually(t, func() bool { return reserve(t, store, "b") == nil }, time.Minute, 100*time.Millisecond)
}

func TestAHandlerRefusesAtOnceWherePostgreSQLHangs(t *testing.T) {
	t.Parallel()
	network := locktest.NewProxy(t, shared.Addr())
	store := pgquota.New(shared.pool(t, via(network.Addr())))
	require.NoError(t, reserve(t, store, rand.Text()))
	network.Freeze(t)
	quotatest.AHandlerRefusesAtOnce(t, store)
	quotatest.EveryCallEndsWithItsContext(t, store)
}

func TestOtherIsolationLevelsAreRefused(t *testing.T) {
	t.Parallel()
	pool := shared.pool(t, func(c *pgxpool.Config) {
		c.ConnConfig.RuntimeParams["default_transaction_isolation"] = "serializable"
	})
	require.ErrorContains(t, reserve(t, pgquota.New(pool), rand.Text()), "read committed")
}

func TestReplicasCreateTheSchemaAtTheSameTime(t *testing.T) {
	t.Parallel()
	server := ownServer(t)
	require.NoError(t, server.CreateDatabase("other"))
	config, err := pgxpool.ParseConfig(server.URL(server.Addr(), "other"))
	require.NoError(t, err)
	other, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(other.Close)
	store := pgquota.New(other)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := store.Create(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.NoError(t, reserve(t, store, "a"))
	require.NoError(t, store.Create(t.Context()))
	used, err := store.Usage(t.Context(), "a")
	require.NoError(t, err)
	require.EqualValues(t, 1, used[0].Uploads, "it has changed what is there")
}

func TestTidyingForgetsWhatUsesNothing(t *testing.T) {
	t.Parallel()
	server := ownServer(t)
	pool := server.pool(t)
	store := pgquota.New(pool)
	rows := func() (accounts, uploads int) {
		require.NoError(t, pool.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM postern_quota_accounts), (SELECT count(*) FROM postern_quota_uploads)").
			Scan(&accounts, &uploads))
		return accounts, uploads
	}
	require.NoError(t, store.Settle(t.Context(), quota.Upload{ID: "x", Bytes: 10, Accounts: []string{"keeps"}}, time.Hour))
	require.NoError(t, store.Reserve(t.Context(), quota.Reservation{
		ID: "y", Bytes: 10, For: time.Millisecond, Accounts: []quota.Account{{Name: "ends", Limits: quota.Files(5)}},
	}))
	require.Eventually(t, func() bool {
		require.NoError(t, store.Tidy(t.Context()))
		accounts, uploads := rows()
		return accounts == 1 && uploads == 1
	}, time.Minute, 10*time.Millisecond)
}

// reserve reserves something for an account.
func reserve(t *testing.T, store quota.Store, name string) error {
	return store.Reserve(t.Context(), quota.Reservation{
		ID: rand.Text(), Bytes: 10, For: time.Hour, Accounts: []quota.Account{{Name: name, Limits: quota.Files(5)}},
	})
}
