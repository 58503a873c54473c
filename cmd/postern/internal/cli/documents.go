package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/internal/documents"
)

var corsCommand = command{
	name: "cors", short: "print the CORS rule, or put it on the bucket",
	long: `Cors prints the rule that lets pages of -origin (several with commas) upload. With
-apply it shows what would change and puts the rule, named postern, beside those that the
bucket has.`,
	flags: func(set *flag.FlagSet, o *options) {
		o.bucket.flags(set)
		o.bucket.originFlag(set)
		set.BoolVar(&o.apply, "apply", false, "put it on the bucket")
	},
	run: func(ctx context.Context, streams IO, o *options) (int, error) {
		if o.bucket.origin == "" {
			return StatusUsage, errors.New("name the page's origin: -origin or POSTERN_ORIGIN")
		}
		origins := strings.Split(o.bucket.origin, ",")
		provider, err := o.provider(ctx)
		if err != nil {
			return StatusUsage, err
		}
		if provider == postern.MinIO {
			fmt.Fprint(streams.Out, documents.CORSAtMinIO(origins...))
			if o.apply {
				return StatusUsage, errors.New("MinIO has one CORS setting for the whole server, in its environment: it cannot be applied to a bucket")
			}
			return StatusOK, nil
		}
		document := documents.CORS(string(provider), origins...)
		if !o.apply {
			_, err := io.WriteString(streams.Out, document)
			return StatusOK, err
		}
		return o.applyCORS(ctx, streams, document)
	},
}

// provider is the one that the bucket has.
func (o *options) provider(ctx context.Context) (postern.Provider, error) {
	issuer, err := o.issuer(ctx)
	if err != nil {
		return "", err
	}
	return issuer.Provider(), nil
}

// client is one of the bucket's, by the service identity.
func (o *options) client(ctx context.Context) (client *s3.Client, bucket string, err error) {
	issuer, err := o.issuer(ctx)
	if err != nil {
		return nil, "", err
	}
	endpoint, region, pathStyle := issuer.Server()
	_, cfg, err := o.bucket.resolve(ctx)
	if err != nil {
		return nil, "", err
	}
	return s3.New(s3.Options{
		BaseEndpoint: &endpoint, Region: region, UsePathStyle: pathStyle, Credentials: cfg.Credentials,
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
	}), issuer.UploadBucket(), nil
}

// ruleID names the rule that is ours.
const ruleID = "postern"

func (o *options) applyCORS(ctx context.Context, streams IO, document string) (int, error) {
	var want types.CORSConfiguration
	if err := json.Unmarshal([]byte(document), &want); err != nil {
		return StatusUsage, err
	}
	client, bucket, err := o.client(ctx)
	if err != nil {
		return StatusUsage, err
	}
	var has []types.CORSRule
	out, err := client.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: &bucket})
	switch {
	case err == nil:
		has = out.CORSRules
	case code(err) != "NoSuchCORSConfiguration":
		return StatusUsage, plain(err)
	}
	next := slices.DeleteFunc(slices.Clone(has), func(r types.CORSRule) bool { return aws.ToString(r.ID) == ruleID })
	for _, rule := range want.CORSRules {
		rule.ID = aws.String(ruleID)
		next = append(next, rule)
	}
	if changed, err := showDifference(streams.Out, has, next); err != nil || !changed {
		return StatusOK, err
	}
	_, err = client.PutBucketCors(ctx, &s3.PutBucketCorsInput{Bucket: &bucket, CORSConfiguration: &types.CORSConfiguration{CORSRules: next}})
	return applied(streams, "CORS rules", bucket, err)
}

var lifecycleCommand = command{
	name: "lifecycle", short: "print the lifecycle rules, or put them on the bucket",
	long: `Lifecycle prints the rules that remove what is given up. With -apply it shows what
would change and puts the rules whose names begin with postern- beside those that the
bucket has.`,
	flags: func(set *flag.FlagSet, o *options) {
		o.bucket.flags(set)
		set.IntVar(&o.days, "days", 3, "after how many `days`: more than a ticket lives")
		set.BoolVar(&o.apply, "apply", false, "put them on the bucket")
	},
	run: func(ctx context.Context, streams IO, o *options) (int, error) {
		if o.days < 1 {
			return StatusUsage, errors.New("-days is 1 at least")
		}
		if o.bucket.staging == "" {
			return StatusUsage, errors.New("there is nothing to expire without a -staging prefix")
		}
		provider, err := o.provider(ctx)
		if err != nil {
			return StatusUsage, err
		}
		document, ok := documents.Lifecycle(string(provider), o.bucket.staging, o.days)
		if !ok {
			return StatusUsage, fmt.Errorf("%s has no lifecycle rules: the reconciler (WithReconciler) empties the staging prefix", provider)
		}
		if !o.apply {
			_, err := io.WriteString(streams.Out, document)
			return StatusOK, err
		}
		return o.applyLifecycle(ctx, streams, document)
	},
}

func (o *options) applyLifecycle(ctx context.Context, streams IO, document string) (int, error) {
	var want types.BucketLifecycleConfiguration
	if err := json.Unmarshal([]byte(document), &want); err != nil {
		return StatusUsage, err
	}
	client, bucket, err := o.client(ctx)
	if err != nil {
		return StatusUsage, err
	}
	var has []types.LifecycleRule
	out, err := client.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &bucket})
	switch {
	case err == nil:
		has = out.Rules
	case code(err) != "NoSuchLifecycleConfiguration":
		return StatusUsage, plain(err)
	}
	next := slices.DeleteFunc(slices.Clone(has), func(r types.LifecycleRule) bool { return strings.HasPrefix(aws.ToString(r.ID), ruleID+"-") })
	next = append(next, want.Rules...)
	if changed, err := showDifference(streams.Out, has, next); err != nil || !changed {
		return StatusOK, err
	}
	_, err = client.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
		Bucket: &bucket, LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: next},
	})
	return applied(streams, "lifecycle rules", bucket, err)
}

func applied(streams IO, what, bucket string, err error) (int, error) {
	if err != nil {
		return StatusUsage, plain(err)
	}
	fmt.Fprintf(streams.Err, "the %s of %s are set\n", what, bucket)
	return StatusOK, nil
}

// plain is what S3 says, without the SDK's chain of reasons.
func plain(err error) error {
	var api smithy.APIError
	if errors.As(err, &api) {
		return fmt.Errorf("%s: %s", api.ErrorCode(), api.ErrorMessage())
	}
	return err
}

func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// showDifference prints the lines that go and those that come.
func showDifference(w io.Writer, has, next any) (changed bool, err error) {
	old, err := lines(has)
	if err != nil {
		return false, err
	}
	fresh, err := lines(next)
	if err != nil {
		return false, err
	}
	for _, line := range difference(old, fresh) {
		changed = changed || line[0] != ' '
		fmt.Fprintln(w, line)
	}
	if !changed {
		fmt.Fprintln(w, "nothing changes")
	}
	return changed, nil
}

// lines writes a value as JSON without what is not set.
func lines(v any) ([]string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		return nil, err
	}
	text, err = json.MarshalIndent(withoutEmpty(plain), "", "  ")
	return strings.Split(string(text), "\n"), err
}

func withoutEmpty(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, item := range v {
			if item = withoutEmpty(item); item == nil || item == "" {
				delete(v, name)
			} else {
				v[name] = item
			}
		}
	case []any:
		for k := range v {
			v[k] = withoutEmpty(v[k])
		}
	}
	return v
}

// difference compares two texts, line by line, by their longest common subsequence.
func difference(a, b []string) (out []string) {
	length := make([][]int, len(a)+1)
	for i := range length {
		length[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, "  "+a[i])
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && length[i+1][j] >= length[i][j+1]:
			out = append(out, "- "+a[i])
			i++
		default:
			out = append(out, "+ "+b[j])
			j++
		}
	}
	return out
}

var iamCommand = command{
	name: "iam", short: "print the policies of the two identities",
	long: `Iam prints what the signing and the service identity may do, and no more: policies
for Amazon and MinIO, the bucket's policy for Ceph, and what to click at Cloudflare R2.`,
	flags: func(set *flag.FlagSet, o *options) {
		o.bucket.flags(set)
		set.StringVar(&o.signer, "signing-user", "postern-signing", "the `user` that signs grants")
		set.StringVar(&o.service, "service-user", "postern-service", "the `user` that makes the handler's own calls")
	},
	run: func(ctx context.Context, streams IO, o *options) (int, error) {
		provider, err := o.provider(ctx)
		if err != nil {
			return StatusUsage, err
		}
		name, _, err := o.bucket.address()
		if err != nil {
			return StatusUsage, err
		}
		_, err = io.WriteString(streams.Out, rights(provider, name, o))
		return StatusOK, err
	},
}

func rights(provider postern.Provider, bucket string, o *options) string {
	signing, service := documents.SigningPolicy(bucket, o.bucket.staging), documents.ServicePolicy(bucket)
	switch provider {
	case postern.CephRGW:
		return "# bucket-policy.json: aws s3api put-bucket-policy --bucket " + bucket + " --policy file://bucket-policy.json\n" +
			documents.BucketPolicy(bucket, o.bucket.staging, o.signer, o.service)
	case postern.CloudflareR2:
		return documents.R2Token(bucket)
	case postern.MinIO:
		return "# signing.json: mc admin policy create ALIAS " + o.signer + " signing.json && mc admin policy attach ALIAS " + o.signer + " --user " + o.signer + "\n" +
			signing + "# service.json: mc admin policy create ALIAS " + o.service + " service.json && mc admin policy attach ALIAS " + o.service + " --user " + o.service + "\n" + service
	}
	return "# signing.json: aws iam put-user-policy --user-name " + o.signer + " --policy-name postern --policy-document file://signing.json\n" +
		signing + "# service.json: aws iam put-user-policy --user-name " + o.service + " --policy-name postern --policy-document file://service.json\n" + service
}
