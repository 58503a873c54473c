package promobserve

import _ "embed"

// Dashboard is a dashboard for Grafana, as it imports it: JSON.
//
//go:embed dashboard.json
var Dashboard []byte

// Rules are alert rules for Prometheus: YAML, a file for its rule_files.
//
//go:embed rules.yml
var Rules []byte
