package s3test

// WithRequests bounds how many requests are answered at once; what is more is told to
// slow down.
func WithRequests(max int) Option {
	return func(c *config) { c.maxRequests = max }
}
