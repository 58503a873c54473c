// Package promobserve counts and times what a handler of Postern does, for Prometheus:
//
//	metrics, err := promobserve.New(prometheus.DefaultRegisterer)
//	…
//	handler, err := postern.New(bucket, postern.WithInstrument(metrics.Instrument()), …)
//
// Several handlers may share one [Metrics]: they are then counted together. To tell them
// apart, give each one of its own, whose registerer adds a label:
// prometheus.WrapRegistererWith.
//
// # What there is
//
// The table of metrics, a dashboard for Grafana and alert rules are described in
// docs/observability.md of Postern. [Dashboard] and [Rules] are those files.
//
// # How many series there are
//
// No label has a key, a subject, a tenant, a file name or another text that somebody
// outside can choose. A code is one of Postern's, or one that [WithCodes] names, and
// otherwise "other". The class of a tenant is what the function of [WithTenantClass] makes
// of it, and "other" when there are too many. Everything else is from a fixed list.
package promobserve
