package foreign

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/postern-go/postern/s3test"
)

// cephConfig is a cluster of one daemon of each kind, which keeps objects in its
// memory. Its monitor commits at once, not once a second.
const cephConfig = `[global]
fsid = {fsid}
mon host = [v2:{monitor}/0]
mon initial members = a
ms bind msgr1 = false
public addr = 127.0.0.1
cluster addr = 127.0.0.1
keyring = {dir}/keyring
mon data = {dir}/mon
osd data = {dir}/osd
mgr data = {dir}/mgr
mgr module path = {dir}/modules
run dir = {dir}
crash dir = {dir}
admin socket =
pid file =
log file =
log to stderr = true
mon data avail crit = 1
mon allow pool size one = true
paxos propose interval = 0.05
paxos min wait = 0.01
osd objectstore = memstore
memstore device bytes = 8589934592
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
rgw frontends = beast endpoint={gateway}
`

// startCeph runs a monitor, a manager without modules, an OSD and a gateway.
func startCeph() (*process, error) {
	g, err := newGroup(Ceph)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	p, err := (&ceph{group: g}).start(ctx)
	if err != nil {
		g.close()
		return nil, err
	}
	return p, nil
}

type ceph struct {
	*group
	policies sync.Mutex // held while a bucket's policy is read and written back
}

func (c *ceph) start(ctx context.Context) (*process, error) {
	said, err := c.run(ctx, "radosgw", "--version") // ceph version 16.2.15 (618f…) pacific (stable)
	if err != nil {
		return nil, err
	}
	var version string
	if _, err := fmt.Sscanf(string(said), "ceph version %s", &version); err != nil {
		return nil, fmt.Errorf("radosgw --version says %q", said)
	}
	monitor, err := freeAddress()
	if err != nil {
		return nil, err
	}
	gateway, err := freeAddress()
	if err != nil {
		return nil, err
	}
	fsid, osd := uuid(), uuid()
	config := strings.NewReplacer("{fsid}", fsid, "{monitor}", monitor, "{gateway}", gateway, "{dir}", c.dir).Replace(cephConfig)
	if err := os.WriteFile(c.path("ceph.conf"), []byte(config), 0o600); err != nil {
		return nil, err
	}
	for _, dir := range []string{"mon", "osd", "mgr", "modules"} {
		if err := os.Mkdir(c.path(dir), 0o700); err != nil {
			return nil, err
		}
	}
	if err := c.makeKeys(ctx); err != nil {
		return nil, err
	}
	if _, err := c.run(ctx, "monmaptool", "--create", "--fsid", fsid, "--addv", "a", "[v2:"+monitor+"]", c.path("monmap")); err != nil {
		return nil, err
	}
	if _, err := c.run(ctx, "ceph-mon", c.args("--mkfs", "-i", "a", "--monmap", c.path("monmap"))...); err != nil {
		return nil, err
	}
	if _, err := c.group.start(nil, "ceph-mon", c.args("-f", "-i", "a")...); err != nil {
		return nil, err
	}
	if _, err := c.run(ctx, "ceph", c.args("osd", "new", osd)...); err != nil { // waits for the monitor
		return nil, err
	}
	if _, err := c.run(ctx, "ceph-osd", c.args("--mkfs", "-i", "0", "--osd-uuid", osd)...); err != nil {
		return nil, err
	}
	if _, err := c.group.start(nil, "ceph-osd", c.args("-f", "-i", "0")...); err != nil {
		return nil, err
	}
	if _, err := c.group.start(nil, "ceph-mgr", c.args("-f", "-i", "a")...); err != nil {
		return nil, err
	}
	p := &process{
		version:         version,
		endpoint:        "http://" + gateway,
		accessKeyID:     s3test.DefaultAccessKeyID,
		secretAccessKey: s3test.DefaultSecretAccessKey,
		group:           c.group,
		users:           c,
	}
	if err := c.createUser(ctx, p.accessKeyID, p.secretAccessKey); err != nil { // waits for the OSD
		return nil, err
	}
	server, err := c.group.start(nil, "radosgw", c.args("-f", "-n", "client.rgw")...)
	if err != nil {
		return nil, err
	}
	return p, server.ready(ctx, func(ctx context.Context) bool { return isOK(ctx, p.endpoint) })
}

// isOK reports whether a GET is answered with 200.
func isOK(ctx context.Context, url string) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK
}

func (c *ceph) args(args ...string) []string {
	return append([]string{"-c", c.path("ceph.conf")}, args...)
}

// makeKeys gives each daemon a key. The gateway insists on one.
func (c *ceph) makeKeys(ctx context.Context) error {
	keyring := c.path("keyring")
	if _, err := c.run(ctx, "ceph-authtool", keyring, "--create-keyring", "--gen-key", "-n", "mon.", "--cap", "mon", "allow *"); err != nil {
		return err
	}
	for _, name := range []string{"client.admin", "client.rgw", "mgr.a", "osd.0"} {
		if _, err := c.run(ctx, "ceph-authtool", keyring, "--gen-key", "-n", name,
			"--cap", "mon", "allow *", "--cap", "mgr", "allow *", "--cap", "osd", "allow *"); err != nil {
			return err
		}
	}
	return nil
}

func (c *ceph) createUser(ctx context.Context, accessKeyID, secretAccessKey string) error {
	_, err := c.run(ctx, "radosgw-admin", c.args("user", "create", "--uid", accessKeyID, "--display-name", accessKeyID,
		"--access-key", accessKeyID, "--secret-key", secretAccessKey, "--max-buckets", "0")...)
	return err
}

// add allows by the bucket's policy. An object is its writer's: so the policy gives
// the root account access to those of others, and denies the writer what it may not
// do with its own.
func (c *ceph) add(ctx context.Context, s *Server, accessKeyID, secretAccessKey string, allowed []s3test.Permission) error {
	err := c.createUser(ctx, accessKeyID, secretAccessKey)
	if err != nil || len(allowed) == 0 {
		return err
	}
	c.policies.Lock()
	defer c.policies.Unlock()
	document := policy{
		Version:   policyVersion,
		Statement: allow(s.Bucket, principal(s.AccessKeyID), []s3test.Permission{{Action: "s3:*", Keys: "*"}}),
	}
	current, err := s.Client().GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &s.Bucket})
	switch {
	case err == nil:
		if err := json.Unmarshal([]byte(aws.ToString(current.Policy)), &document); err != nil {
			return err
		}
	case code(err) != "NoSuchBucketPolicy":
		return err
	}
	document.Statement = append(document.Statement, allow(s.Bucket, principal(accessKeyID), allowed)...)
	denied := slices.DeleteFunc(slices.Clone(ownersActions), func(action string) bool {
		return slices.ContainsFunc(allowed, func(p s3test.Permission) bool { return p.Action == action })
	})
	document.Statement = append(document.Statement, statement{
		Effect: "Deny", Principal: principal(accessKeyID), Action: denied, Resource: []string{"arn:aws:s3:::" + s.Bucket + "/*"},
	})
	text, err := json.Marshal(document)
	if err != nil {
		return err
	}
	_, err = s.Client().PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &s.Bucket, Policy: aws.String(string(text))})
	return err
}

// ownersActions are what an object's owner may do with it, unless it is denied.
// Ceph 16 ignores a statement with NotAction.
var ownersActions = []string{
	"s3:GetObject", "s3:GetObjectAcl", "s3:GetObjectTagging", "s3:DeleteObject", "s3:DeleteObjectTagging",
	"s3:PutObjectAcl", "s3:PutObjectTagging", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts",
}

// principal names a user in a policy.
func principal(uid string) map[string]string {
	return map[string]string{"AWS": "arn:aws:iam:::user/" + uid}
}

func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
