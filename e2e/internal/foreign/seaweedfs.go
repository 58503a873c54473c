package foreign

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/postern-go/postern/s3test"
)

// startSeaweedFS runs SeaweedFS's servers in one process.
func startSeaweedFS() (*process, error) {
	program, err := built("seaweedfs")
	if err != nil {
		return nil, err
	}
	g, err := newGroup(SeaweedFS)
	if err != nil {
		return nil, err
	}
	p := &process{
		accessKeyID:     s3test.DefaultAccessKeyID,
		secretAccessKey: s3test.DefaultSecretAccessKey,
		group:           g,
	}
	if err := p.runSeaweedFS(program); err != nil {
		g.close()
		return nil, err
	}
	return p, nil
}

func (p *process) runSeaweedFS(program string) error {
	config := fmt.Sprintf(`{"identities":[{"name":"root","credentials":[{"accessKey":%q,"secretKey":%q}],"actions":["Admin"]}]}`,
		p.accessKeyID, p.secretAccessKey)
	if err := os.WriteFile(p.group.path("s3.json"), []byte(config), 0o600); err != nil {
		return err
	}
	if err := os.Mkdir(p.group.path("data"), 0o700); err != nil {
		return err
	}
	args := []string{
		"mini", "-dir", p.group.path("data"), "-ip", "127.0.0.1", "-ip.bind", "127.0.0.1",
		"-webdav=false", "-admin.ui=false", "-admin.port.legacy", "0", "-s3.iam.readOnly=false", "-s3.config", p.group.path("s3.json"),
		"-volume.max", "100000", // each bucket takes some
	}
	for _, name := range []string{"s3", "master", "filer", "volume", "admin"} {
		for _, suffix := range []string{".port", ".port.grpc"} {
			address, err := freeAddress()
			if err != nil {
				return err
			}
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return err
			}
			args = append(args, "-"+name+suffix, port)
			if name+suffix == "s3.port" {
				p.endpoint = "http://" + address
			}
		}
	}
	iam := seaweedIAM{p.endpoint, aws.Credentials{AccessKeyID: p.accessKeyID, SecretAccessKey: p.secretAccessKey}}
	p.users = iam
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	server, err := p.group.start([]string{"WEED_MASTER_VOLUME_GROWTH_COPY_1=1"}, program, args...)
	if err != nil {
		return err
	}
	return server.ready(ctx, func(ctx context.Context) bool {
		return iam.call(ctx, url.Values{"Action": {"ListUsers"}}) == nil
	})
}

// seaweedIAM is the part of Amazon's IAM API that SeaweedFS has at the address of
// its S3 API.
type seaweedIAM struct {
	endpoint string
	root     aws.Credentials
}

func (i seaweedIAM) add(ctx context.Context, s *Server, accessKeyID, secretAccessKey string, allowed []s3test.Permission) error {
	document, err := json.Marshal(policy{Version: policyVersion, Statement: allow(s.Bucket, nil, allowed)})
	if err != nil {
		return err
	}
	user := url.Values{"UserName": {accessKeyID}}
	if err := i.call(ctx, url.Values{"Action": {"CreateUser"}}, user); err != nil {
		return err
	}
	if len(allowed) > 0 {
		if err := i.call(ctx, url.Values{"Action": {"PutUserPolicy"}, "PolicyName": {"test"}, "PolicyDocument": {string(document)}}, user); err != nil {
			return err
		}
	}
	return i.call(ctx, url.Values{"Action": {"CreateAccessKey"}, "AccessKeyId": {accessKeyID}, "SecretAccessKey": {secretAccessKey}}, user)
}

func (i seaweedIAM) call(ctx context.Context, parameters ...url.Values) error {
	all := url.Values{"Version": {"2010-05-08"}}
	for _, p := range parameters {
		for name, values := range p {
			all[name] = values
		}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, i.endpoint+"/", strings.NewReader(all.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return signAndSend(r, []byte(all.Encode()), i.root, "iam")
}
