package posterntest

import "slices"

// Promise is one of those of SECURITY.md.
type Promise string

// The promises that are attacked.
const (
	DefaultDeny  Promise = "default deny"
	OneKey       Promise = "one key"
	BoundedSize  Promise = "bounded size"
	InertType    Promise = "exact, inert type"
	ShortLife    Promise = "short life"
	Overwriting  Promise = "overwriting is bounded"
	OneUpload    Promise = "a ticket opens one upload"
	TrueReceipt  Promise = "a receipt is true"
	SecretsHome  Promise = "secrets stay home"
	CleanFailure Promise = "failing is clean"
	NoMore       Promise = "a grant can do no more than it says"
)

// Case is one attack.
type Case struct {
	// Name is the case's for good, such as "tickets/of a stranger: complete".
	Name    string
	Promise Promise
	// Why says what the attacker would have of it.
	Why string

	run  func(a *attack) error
	last bool // it looks at what the others have left
}

// Cases returns the attacks, in their order.
func Cases() []Case { return slices.Clone(cases) }

var cases = slices.Concat(
	identityCases(), originCases(), ticketCases(), keyCases(), sizeCases(), typeCases(),
	formCases(), putCases(), partCases(), lifeCases(), receiptCases(), bodyCases(), lastCases(),
)

// family makes cases that have a promise and a reason in common.
func family(prefix string, promise Promise, why string, runs ...namedRun) (all []Case) {
	for _, r := range runs {
		all = append(all, Case{Name: prefix + "/" + r.name, Promise: promise, Why: why, run: r.run})
	}
	return all
}

type namedRun struct {
	name string
	run  func(a *attack) error
}
