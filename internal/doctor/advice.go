package doctor

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"

	"github.com/postern-go/postern/internal/store"
)

var expecting = regexp.MustCompile(`expecting ['"]?([a-z0-9-]+)['"]?`)

// advise says what mends a call that has failed. who is the identity that made it.
func (e *exam) advise(err error, who string) (advice, document string) {
	var failed *store.Error
	if !errors.As(err, &failed) {
		return "See the reason.", ""
	}
	var dns *net.DNSError
	switch {
	case errors.Is(err, store.ErrNoBucket):
		return fmt.Sprintf("Create the bucket, or correct its name and its endpoint (%s).", e.Server), e.createBucket()
	case failed.Code == "InvalidAccessKeyId" || failed.Code == "InvalidAccessKeyID":
		return "The server does not know the access key ID of the " + who + " identity: correct it, and see that it belongs to this server.", ""
	case failed.Code == "SignatureDoesNotMatch":
		return "The secret of the " + who + " identity does not belong to its access key ID, or something on the way changes the request's host, path or headers: set both again, and look at " + e.Server + ".", ""
	case isRegion(failed):
		region := "the bucket's own"
		if m := expecting.FindStringSubmatch(failed.Message); m != nil {
			region = m[1]
		}
		return fmt.Sprintf("The region %q is wrong: set it to %s.", e.Region, region), "AWS_REGION=" + region
	case failed.Code == "RequestTimeTooSkewed" || failed.Code == "RequestInTheFuture":
		return "The clock of this machine is wrong.", "timedatectl set-ntp true"
	case errors.Is(err, store.ErrDenied):
		if who == "signing" {
			return "Give the signing identity this policy.", e.signingPolicy()
		}
		return "Give the service identity this policy.", e.servicePolicy()
	case errors.As(err, &dns):
		return "The host of " + e.Server + " has no address: correct the endpoint, or the network's DNS.", ""
	case failed.Status == 0:
		return "Nothing answers at " + e.Server + ": correct the endpoint, or start the server.", ""
	}
	return "Look S3's words up; its operator finds the request by its ID.", ""
}

func isRegion(failed *store.Error) bool {
	switch failed.Code {
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "AuthorizationQueryParametersError", "IllegalLocationConstraintException", "InvalidRegion":
		return true
	}
	return failed.Status == 301 || strings.Contains(failed.Message, "region")
}

func (e *exam) createBucket() string {
	command := "aws s3api create-bucket --bucket " + e.Bucket
	switch {
	case e.Provider != "amazon-s3":
		command += " --endpoint-url " + e.Server
	case e.Region != "us-east-1":
		command += " --region " + e.Region + " --create-bucket-configuration LocationConstraint=" + e.Region
	}
	return command
}
