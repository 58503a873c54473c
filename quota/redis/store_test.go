package redisquota_test

import (
	"crypto/rand"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/internal/locktest"
	"github.com/postern-go/postern/internal/quotatest"
	"github.com/postern-go/postern/quota"
	redisquota "github.com/postern-go/postern/quota/redis"
)

func TestRedisKeepsTheContract(t *testing.T) {
	t.Parallel()
	quotatest.Contract(t, redisquota.New(shared.client(t)))
}

func TestReplicasGrantExactlyWhatThereIs(t *testing.T) {
	quotatest.ReplicasGrantExactlyWhatThereIs(t, shared.URL(), redisquota.New(shared.client(t)))
}

func TestWhatAKilledReplicaHasReservedComesBack(t *testing.T) {
	t.Parallel()
	quotatest.WhatAKilledReplicaHasReservedComesBack(t, shared.URL(), redisquota.New(shared.client(t)))
}

func TestAHandlerRefusesAtOnceWhereRedisIsDown(t *testing.T) {
	t.Parallel()
	server := ownServer(t)
	store := redisquota.New(server.client(t))
	server.Stop(syscall.SIGKILL)
	quotatest.AHandlerRefusesAtOnce(t, store)
	require.NoError(t, server.Start())
	require.NoError(t, reserve(t, store, rand.Text()), "the server has forgotten the script")
}

func TestAHandlerRefusesAtOnceWhereRedisHangs(t *testing.T) {
	t.Parallel()
	network := locktest.NewProxy(t, shared.Addr())
	client := redis.NewClient(&redis.Options{Addr: network.Addr().String(), Password: shared.Password, ReadTimeout: -1, MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	store := redisquota.New(client)
	require.NoError(t, reserve(t, store, rand.Text()))
	network.Freeze(t)
	quotatest.AHandlerRefusesAtOnce(t, store)
	quotatest.EveryCallEndsWithItsContext(t, store)
}

func TestAReservationWhoseAnswerWasLostCountsOnce(t *testing.T) {
	t.Parallel()
	network := locktest.NewProxy(t, shared.Addr())
	store := redisquota.New(shared.client(t, network.Addr().String()))
	require.NoError(t, reserve(t, store, rand.Text())) // connected, and the script is there
	name := rand.Text()
	network.LoseNext.Store(true)
	require.NoError(t, reserve(t, store, name))
	require.False(t, network.LoseNext.Load())
	used, err := store.Usage(t.Context(), name)
	require.NoError(t, err)
	require.EqualValues(t, 1, used[0].Uploads)
}

// reserve reserves something for an account.
func reserve(t *testing.T, store quota.Store, name string) error {
	return store.Reserve(t.Context(), quota.Reservation{
		ID: rand.Text(), Bytes: 10, For: time.Hour, Accounts: []quota.Account{{Name: name, Limits: quota.Files(5)}},
	})
}

// What uses nothing expires, and what is stored does not.
func TestKeysOfWhatUsesNothingExpire(t *testing.T) {
	t.Parallel()
	client := shared.client(t)
	prefix := "{" + rand.Text() + "}:"
	store := redisquota.New(client, redisquota.WithPrefix(prefix))
	keys := func() (lasting []string) {
		all, err := client.Keys(t.Context(), prefix+"*").Result()
		require.NoError(t, err)
		require.NotEmpty(t, all)
		for _, key := range all {
			if client.PTTL(t.Context(), key).Val() < 0 {
				lasting = append(lasting, key)
			}
		}
		return lasting
	}
	require.NoError(t, reserve(t, store, "a"))
	require.Empty(t, keys())
	u := quota.Upload{ID: "x", Bytes: 10, Accounts: []string{"a"}}
	require.NoError(t, store.Settle(t.Context(), u, time.Hour))
	require.Equal(t, []string{prefix + "account:a"}, keys())
	require.NoError(t, store.Release(t.Context(), u))
	require.Empty(t, keys())
}

func TestFailuresOfRedisHaveNoSecrets(t *testing.T) {
	t.Parallel()
	client := redis.NewClient(&redis.Options{Addr: shared.Addr(), Password: "hunter2"})
	t.Cleanup(func() { _ = client.Close() })
	err := reserve(t, redisquota.New(client), rand.Text())
	require.ErrorContains(t, err, "redisquota: ")
	require.NotContains(t, err.Error(), "hunter2")
}
