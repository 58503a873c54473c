package promobserve

import (
	"strings"
	"sync"

	"github.com/postern-go/postern"
)

const (
	none  = "none"
	other = "other"
)

// classes bounds the values of the label class.
type classes struct {
	of  func(tenant string) string
	max int

	mutex sync.Mutex
	known map[string]bool
}

const maxClass = 64 // bytes

// class returns the label of a tenant.
func (c *classes) class(tenant string) string {
	if c.of == nil || tenant == "" {
		return none
	}
	class := c.of(tenant)
	if len(class) > maxClass {
		class = class[:maxClass]
	}
	class = strings.ToValidUTF8(class, "")
	switch class {
	case "":
		return none
	case none, other:
		return class
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if !c.known[class] {
		if len(c.known) >= c.max {
			return other
		}
		c.known[strings.Clone(class)] = true
	}
	return class
}

// code returns the label of a problem's code, which is "none" where there is no problem.
func (m *Metrics) code(code string) string {
	switch {
	case code == "":
		return none
	case m.codes[code]:
		return code
	}
	return other
}

// actions are those that a request may have.
var actions = map[postern.Action]bool{
	postern.ActionSign: true, postern.ActionParts: true, postern.ActionList: true, postern.ActionComplete: true,
	postern.ActionAbort: true, postern.ActionReport: true, postern.ActionRules: true, postern.ActionSession: true,
}

// action is "none" for a request that is for none.
func action(a postern.Action) string {
	if actions[a] {
		return string(a)
	}
	return none
}
