package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

const (
	// MaxBody is the size in bytes of the largest message that is read. SNS, SQS and
	// EventBridge send at most 1 MiB.
	MaxBody = 1 << 20
	// maxRecords bounds the records of one message. Servers send one, or a few.
	maxRecords = 1000
)

// ErrMalformed means that a message is not a notification of S3 in any of the shapes
// that are known. It will be none the next time either.
var ErrMalformed = errors.New("events: not a notification of S3")

// Object is where an object was created, by an event's account.
type Object struct{ Bucket, Key string }

// Message is what a server has sent.
type Message struct {
	// Created are the objects that were created, in the order of the records. There
	// are none in the test events that servers send when they are set up, and in
	// those of removals, tags and the like.
	Created []Object
	// SubscribeURL is the address by which SNS asks to confirm a subscription, as it
	// came, or "".
	SubscribeURL string
}

// Parse reads a message: an S3 event (of Amazon, MinIO, versitygw and others), the
// same in the envelope of SNS, an event of EventBridge, a test event, or what SNS sends
// at the beginning and the end of a subscription. Keys come back decoded: S3 events
// have them URL-encoded with a plus sign for a space, those of EventBridge and versitygw
// have them as they are. Parse fails with [ErrMalformed].
func Parse(body []byte) (Message, error) { return parse(body, true) }

// envelope has the members by which the shapes are told apart.
type envelope struct {
	Records    *records
	Event      string // of a test event
	Type       string // of SNS
	Message    string
	DetailType string `json:"detail-type"` // of EventBridge
	Detail     struct {
		Bucket struct{ Name string }
		Object struct{ Key string }
	}
	SubscribeURL string
}

func parse(body []byte, outermost bool) (m Message, err error) {
	if len(body) > MaxBody {
		return m, fmt.Errorf("%w: it is longer than %d bytes", ErrMalformed, MaxBody)
	}
	var e envelope
	if json.Unmarshal(body, &e) != nil { // its error may quote the message
		return m, fmt.Errorf("%w: not the JSON that is expected", ErrMalformed)
	}
	switch {
	case e.Records != nil:
		m.Created, err = e.Records.created()
		return m, err
	case e.Event == "s3:TestEvent":
		return m, nil
	case e.DetailType == "Object Created":
		return Message{Created: []Object{{e.Detail.Bucket.Name, e.Detail.Object.Key}}}, nil
	case e.DetailType != "":
		return m, nil
	case outermost && e.Type == "Notification":
		return parse([]byte(e.Message), false)
	case outermost && e.Type == "SubscriptionConfirmation":
		return Message{SubscribeURL: e.SubscribeURL}, nil
	case outermost && e.Type == "UnsubscribeConfirmation":
		return m, nil
	}
	return m, fmt.Errorf("%w: neither records nor an envelope", ErrMalformed)
}

type record struct {
	EventName string
	S3        struct {
		ConfigurationID string
		Bucket          struct{ Name string }
		Object          struct{ Key string }
	}
}

// key is decoded, but for versitygw, which encodes none. It is known by the names of
// its configurations, which it has instead of those of a bucket.
func (r *record) key() (string, error) {
	switch r.S3.ConfigurationID {
	case "webhook-global", "nats-global", "kafka-global", "rabbitmq-global":
		return r.S3.Object.Key, nil
	}
	return url.QueryUnescape(r.S3.Object.Key)
}

// records are bounded as they are read.
type records []record

var errTooMany = errors.New("too many records")

// UnmarshalJSON implements [json.Unmarshaler].
func (r *records) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if begin, err := d.Token(); err != nil || begin != json.Delim('[') {
		return errors.New("not a list")
	}
	for d.More() {
		if len(*r) == maxRecords {
			return errTooMany
		}
		var one record
		if err := d.Decode(&one); err != nil {
			return err
		}
		*r = append(*r, one)
	}
	return nil
}

// created returns what the records of creations tell. Amazon's names of events have no
// "s3:" before them, those of others do.
func (r records) created() (all []Object, err error) {
	for _, one := range r {
		if !strings.HasPrefix(strings.TrimPrefix(one.EventName, "s3:"), "ObjectCreated:") {
			continue
		}
		key, err := one.key()
		if err != nil {
			return nil, fmt.Errorf("%w: a key that is not URL-encoded", ErrMalformed)
		}
		all = append(all, Object{one.S3.Bucket.Name, key})
	}
	return all, nil
}
