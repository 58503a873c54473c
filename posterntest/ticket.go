package posterntest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

func sorted(runs []namedRun) []namedRun {
	slices.SortFunc(runs, func(x, y namedRun) int { return strings.Compare(x.name, y.name) })
	return runs
}

// result is what became of a file of a batch.
type result struct {
	Grant, Receipt json.RawMessage
	Problem        *struct{ Code string }
	Pending        bool
}

func resultsOf(got *answer) (all []result) {
	var batch struct{ Results []result }
	_ = json.Unmarshal(got.Body, &batch)
	return batch.Results
}

func hasGrant(got *answer) bool {
	return slices.ContainsFunc(resultsOf(got), func(r result) bool { return r.Grant != nil })
}

func ticketCases() []Case {
	stranger := func(a *attack) error {
		if a.Stranger == nil {
			return leftOut("Target.Stranger is nil")
		}
		return nil
	}
	// An upload of the user's, and a grant of the stranger's.
	beside := func(a *attack) (theirs, own *grant, err error) {
		if err = stranger(a); err == nil {
			theirs, err = a.arrived()
		}
		if err == nil {
			own, err = a.grantOf(a.Stranger, a.File)
		}
		return theirs, own, err
	}
	var runs []namedRun
	for _, road := range roads {
		runs = append(runs, namedRun{"of another tenant: " + road, func(a *attack) error {
			if err := stranger(a); err != nil {
				return err
			}
			g, err := a.arrived()
			if err != nil {
				return err
			}
			got, err := a.call(a.Stranger, road, presenting(g.Ticket))
			if err := refused(got, err); err != nil {
				return err
			}
			if bytes.Contains(got.Body, []byte(g.Key)) {
				return fmt.Errorf("the refusal tells the key: %s", got)
			}
			return a.stillThere(g)
		}})
	}
	for _, road := range []string{"parts", "list", "complete", "abort"} {
		runs = append(runs, namedRun{"of another tenant's parts: " + road, func(a *attack) error {
			if err := stranger(a); err != nil {
				return err
			}
			g, err := a.grantOfParts()
			if err != nil {
				return err
			}
			if _, err := a.sendPart(a.user(), g, 1, a.large.Content); err != nil {
				return err
			}
			if err := refused(a.call(a.Stranger, road, presenting(g.Ticket))); err != nil {
				return err
			}
			got, err := a.call(a.user(), "list", ticketOf(g))
			if err == nil && (got.Status != http.StatusOK || !bytes.Contains(got.Body, []byte(`"number":1`))) {
				err = fmt.Errorf("the user's part is gone: %s", got)
			}
			return err
		}})
	}
	runs = append(runs,
		namedRun{"of another tenant: complete, in a batch", func(a *attack) error {
			g, own, err := beside(a)
			if err != nil {
				return err
			}
			got, err := a.call(a.Stranger, "complete", map[string]any{"uploads": []any{ticketOf(own), ticketOf(g), ticketOf(own)}})
			if err != nil {
				return err
			}
			for _, r := range resultsOf(got) {
				if r.Receipt != nil || r.Pending {
					return fmt.Errorf("it was completed: %s", got)
				}
			}
			return a.stillThere(g)
		}},
		namedRun{"changed at many places", func(a *attack) error {
			g, err := a.arrived()
			if err != nil {
				return err
			}
			for _, ticket := range changedTickets(g.Ticket) {
				got, err := a.call(a.user(), "complete", ticketOf(&grant{Ticket: ticket}))
				if err := refused(got, err); err != nil {
					return fmt.Errorf("%.100q: %w", ticket, err)
				}
			}
			return a.stillThere(g)
		}},
		namedRun{"of an upload whole, for parts", func(a *attack) error {
			g, err := a.arrived()
			if err != nil {
				return err
			}
			for _, road := range []string{"parts", "list"} {
				if err := refused(a.call(a.user(), road, presenting(g.Ticket))); err != nil {
					return err
				}
			}
			return a.stillThere(g)
		}},
		namedRun{"twice in one request", func(a *attack) error {
			g, own, err := beside(a)
			if err != nil {
				return err
			}
			for _, pair := range [][2]string{{g.Ticket, own.Ticket}, {own.Ticket, g.Ticket}} {
				got, err := a.call(a.Stranger, "complete", raw(fmt.Sprintf(`{"ticket":%q,"ticket":%q,"Ticket":%q}`, pair[0], pair[1], g.Ticket)))
				if err := refused(got, err); err != nil {
					return err
				}
			}
			return a.stillThere(g)
		}},
		namedRun{"instead of a declaration", func(a *attack) error {
			g, err := a.arrived()
			if err != nil {
				return err
			}
			return refused(a.call(a.user(), "sign", ticketOf(g)))
		}},
	)
	for name, value := range map[string]any{
		"none": nil, "empty": "", "a number": 1, "a list": []string{"x"}, "true": true, "an object": map[string]any{"a": 1},
		"longer than any": strings.Repeat("A", 12<<10), "of bytes that are not in its alphabet": "é\x00\n=", "a path": "../../etc/passwd",
	} {
		runs = append(runs, namedRun{"that is none: " + name, func(a *attack) error {
			for _, road := range roads {
				if err := refused(a.call(a.user(), road, presenting(value))); err != nil {
					return err
				}
			}
			return nil
		}})
	}
	return family("ticket", OneUpload, "whoever can use the ticket of somebody else reads, replaces, completes or ends their upload", sorted(runs)...)
}

// changedTickets are like a ticket, and none.
func changedTickets(ticket string) (all []string) {
	if b, err := base64.RawURLEncoding.DecodeString(ticket); err == nil {
		for i := range b {
			changed := bytes.Clone(b)
			changed[i] ^= 1 << (i % 8)
			all = append(all, base64.RawURLEncoding.EncodeToString(changed))
		}
	}
	for i := 0; i < len(ticket); i += 16 {
		all = append(all, ticket[:i], ticket[:i]+ticket[i+1:])
	}
	return append(all, ticket+"A", ticket+"=", ticket+ticket, " "+ticket, ticket+"\n", strings.ToUpper(ticket), strings.ToLower(ticket))
}
