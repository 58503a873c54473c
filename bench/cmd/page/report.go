package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The aims.
const (
	ofBound  = 1.3  // times the bound, at most: small files with receipts
	overUppy = 2.5  // times as fast as Uppy, at least: the same
	ofLine   = 0.92 // of the line, at least: large files with promotion
	ofPlain  = 0.95 // without it
	oneFrame = 50.0 // ms, at most
)

// report writes what was measured, and which aims are met.
func report(c conditions, all []*measurement, rounds int, machine string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", machine)
	fmt.Fprintf(&b, "A line of %.0f Mbit/s each way with a round trip of %s; Chromium, the servers and the line on the same machine. ", c.rate*8/1e6, c.rtt)
	fmt.Fprintf(&b, "Medians of %d rounds, and beside them the best: other work on the machine only ever slows a round.\n\n", rounds)
	b.WriteString("The line is bytes over rate. Six connections, all that a browser opens to a bucket, need ⌈n/6⌉ times a round trip and the bytes of one file, if they are open and never idle, and not less than the line.\n\n")
	b.WriteString("| files | by | receipts | median | best | of the line | of six connections | longest frame |\n")
	b.WriteString("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |\n")
	for _, m := range all {
		receipts := "no"
		if m.subject.receipts {
			receipts = "yes"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %.0f %% | %.2f× | %s |\n", m.scenario.name, m.subject.name, receipts,
			seconds(m.median()), seconds(m.best()), 100*m.ofLine(c, m.median()), m.ofBound(c, m.median()), frame(m.frame()))
	}
	fmt.Fprintf(&b, "\nFrames are the long animation frames of the median round, from the first task to the drawing; one of up to %.0f ms is not told.\n\n", oneFrame)
	b.WriteString("| aim | median | | best | |\n| --- | ---: | --- | ---: | --- |\n")
	for _, a := range aims(c, all) {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", a.what, a.format(a.median), verdict(a.met(a.median)), a.format(a.best), verdict(a.met(a.best)))
	}
	return b.String()
}

// aim is one, and what was measured.
type aim struct {
	what         string
	format       func(float64) string
	met          func(float64) bool
	median, best float64
}

// aims returns those of what was measured.
func aims(c conditions, all []*measurement) (list []aim) {
	for _, m := range all {
		name := m.scenario.name + ", " + m.subject.name
		switch {
		case m.subject.uppy:
			continue
		case m.scenario.name == photos && m.subject.endpoint == "/promoted":
			list = append(list, aim{fmt.Sprintf("%s: at most %.1f times six connections", name, ofBound), times, func(v float64) bool { return v <= ofBound },
				m.ofBound(c, m.median()), m.ofBound(c, m.best())})
			if uppy := find(all, m.scenario.name, "/uppy"); uppy != nil {
				list = append(list, aim{fmt.Sprintf("%s: at least %.1f times as fast as Uppy without", name, overUppy), times, func(v float64) bool { return v >= overUppy },
					uppy.median() / m.median(), uppy.best() / m.best()})
			}
		case m.scenario.parts:
			share := ofLine
			if m.subject.endpoint == "/plain" {
				share = ofPlain
			}
			list = append(list, aim{fmt.Sprintf("%s: at least %.0f %% of the line", name, 100*share), percent, func(v float64) bool { return v >= share },
				m.ofLine(c, m.median()), m.ofLine(c, m.best())})
		}
		list = append(list, aim{fmt.Sprintf("%s: no frame above %.0f ms", name, oneFrame), frame, func(v float64) bool { return v <= oneFrame },
			m.frame(), m.shortestFrame()})
	}
	return list
}

func find(all []*measurement, scenario, endpoint string) *measurement {
	for _, m := range all {
		if m.scenario.name == scenario && m.subject.endpoint == endpoint {
			return m
		}
	}
	return nil
}

// sorted returns the runs, the fastest first.
func (m *measurement) sorted() []run {
	return slices.SortedFunc(slices.Values(m.runs), func(a, b run) int { return cmp.Compare(a.Took, b.Took) })
}

func (m *measurement) median() float64 { return m.sorted()[len(m.runs)/2].Took }
func (m *measurement) best() float64   { return m.sorted()[0].Took }
func (m *measurement) frame() float64  { return m.sorted()[len(m.runs)/2].Frame }

func (m *measurement) shortestFrame() float64 {
	return slices.MinFunc(m.runs, func(a, b run) int { return cmp.Compare(a.Frame, b.Frame) }).Frame
}

// ofLine is which share of the line a time makes use of.
func (m *measurement) ofLine(c conditions, took float64) float64 {
	return ms(c.floor(m.scenario)) / took
}

// ofBound is how many times the bound of six connections a time is.
func (m *measurement) ofBound(c conditions, took float64) float64 {
	return took / ms(c.bound(m.scenario))
}

func seconds(ms float64) string { return fmt.Sprintf("%.2f s", ms/1000) }
func times(v float64) string    { return fmt.Sprintf("%.2f×", v) }
func percent(v float64) string  { return fmt.Sprintf("%.1f %%", 100*v) }

func frame(ms float64) string {
	if ms == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f ms", ms)
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "**not met**"
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
