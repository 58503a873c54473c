package s3test

import (
	"context"
	"encoding/json"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/s3api/middlewares"
	"github.com/versity/versitygw/s3api/utils"
)

// GetBucketPolicy gives the policy as it is stored, except to a POST form. The
// gateway asks whether a form may write to the bucket, and never names the key:
// a user limited to a prefix could post nothing, and one denied a prefix could
// post there. So a form is shown the statements about its key, as if they were
// about the bucket.
func (b *rootedBackend) GetBucketPolicy(ctx context.Context, bucket string) ([]byte, error) {
	doc, err := b.storage.GetBucketPolicy(ctx, b.path(bucket))
	if err != nil {
		return nil, b.named(err)
	}
	form, ok := ctx.Value(string(utils.ContextKeyObjectPostResult)).(middlewares.PostObjectResult)
	if !ok {
		return doc, nil
	}
	return b.policyForKey(doc, bucket, form.Fields["key"])
}

func (b *rootedBackend) policyForKey(doc []byte, bucket, key string) ([]byte, error) {
	var p struct {
		Version   string `json:",omitempty"`
		Statement []map[string]json.RawMessage
	}
	if err := json.Unmarshal(doc, &p); err != nil {
		return nil, err
	}
	arn, err := json.Marshal(auth.ResourceArnPrefix + bucket)
	if err != nil {
		return nil, err
	}
	object := bucket + "/" + b.NormalizeObjectKey(bucket, key)
	about := []map[string]json.RawMessage{}
	for _, s := range p.Statement {
		var resources auth.Resources
		if err := json.Unmarshal(s["Resource"], &resources); err != nil {
			return nil, err
		}
		if resources.FindMatch(object, b.NormalizeObjectKey) {
			s["Resource"] = arn
			about = append(about, s)
		}
	}
	p.Statement = about
	return json.Marshal(p)
}
