package quota_test

import (
	"context"
	"fmt"
	"time"

	"github.com/postern-go/postern/quota"
)

// What WithQuota does for an upload, and the application for a file that it deletes.
func ExampleMemory() {
	ctx, store := context.Background(), quota.NewMemory(nil)
	acme := []quota.Account{{Name: "tenant/acme", Limits: quota.Bytes(5000)}}
	use := func() {
		all, _ := store.Usage(ctx, "tenant/acme")
		fmt.Println(all[0].Bytes, "bytes stored,", all[0].Reserved, "reserved")
	}

	_ = store.Reserve(ctx, quota.Reservation{ID: "1", Bytes: 3000, Accounts: acme, For: time.Hour})
	use()
	fmt.Println(store.Reserve(ctx, quota.Reservation{ID: "2", Bytes: 3000, Accounts: acme, For: time.Hour}))

	first := quota.Upload{ID: "1", Bytes: 2800, Accounts: []string{"tenant/acme"}}
	_ = store.Settle(ctx, first, time.Hour)
	_ = store.Settle(ctx, first, time.Hour) // counts once
	use()
	_ = store.Release(ctx, first)
	use()
	// Output:
	// 0 bytes stored, 3000 reserved
	// quota: tenant/acme uses 3000 of 5000 bytes
	// 2800 bytes stored, 0 reserved
	// 0 bytes stored, 0 reserved
}
