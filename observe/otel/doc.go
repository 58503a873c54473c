// Package otelobserve makes spans of what a handler of Postern does, for OpenTelemetry: of
// each request, of each completion and hook, of reconciliations, and of every call of S3 in
// them.
//
//	tracing := otelobserve.New(otelobserve.WithTicketLinks())
//	handler, err := postern.New(bucket, postern.WithInstrument(tracing.Instrument()), …)
//	http.Handle("/uploads/", otelhttp.NewHandler(handler, "uploads"))
//
// A request's span is a child of the span in its context, such as that of otelhttp, which
// reads the traceparent of the browser. Without one it is a root.
//
// # From the grant to the receipt
//
// One upload takes several requests, of which the last may be answered with 202 long before
// the completion has ended, and another process may complete what no browser comes back
// for. These are traces of their own, since hours may lie between them. They have two
// things in common: the attribute postern.upload.id, which is also in the log and in the
// receipt; and, with [WithTicketLinks], a link from every later span about the upload to
// the span in which it was granted. For that the ticket remembers the traceparent of that
// span: the ticket is what all have who act later, the page, an event of S3 and the
// reconciler, and nobody else can read or change it. docs/observability.md of Postern says
// more.
package otelobserve
