package promobserve

import "slices"

// maxClasses is how many classes of tenants there may be at most.
const maxClasses = 1000

// Option changes what [New] makes.
type Option func(*Metrics)

// WithTenantClass sets what stands for a tenant in the label class: the plan, the region,
// or the tenant's own name where there are few. Of the values, the first max stay what
// they are for as long as the process lives, and the others are "other"; of a longer one
// the first 64 bytes count. What has no tenant, or the class "", is "none". It panics
// unless max is 1 to 1,000. The function is called for every request and completion of a
// tenant, many at once.
//
// Without it, everything is in the class "none".
func WithTenantClass(of func(tenant string) string, max int) Option {
	if of == nil || max < 1 || max > maxClasses {
		panic("promobserve: WithTenantClass needs a function, and 1 to 1,000 classes")
	}
	return func(m *Metrics) { m.classes = classes{of: of, max: max, known: map[string]bool{}} }
}

// WithCodes names the codes of problems of your own, which are otherwise counted as
// "other".
func WithCodes(codes ...string) Option {
	codes = slices.Clone(codes)
	return func(m *Metrics) {
		for _, code := range codes {
			m.codes[code] = true
		}
	}
}
