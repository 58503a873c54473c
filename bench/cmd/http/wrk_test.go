package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const wrkOutput = `Running 5s test @ http://127.0.0.1:41911/
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    70.78ms   96.79ms   1.03s    95.31%
  Latency Distribution
     50%   51.42ms
     75%   58.52ms
     90%   75.28ms
     99%  627.27ms
  2938 requests in 5.07s, 3.69MB read
Requests/sec:    579.26
`

func TestWhatWrkPrintsIsRead(t *testing.T) {
	f, err := parseWrk(wrkOutput)
	require.NoError(t, err)
	require.Equal(t, figures{rate: 579.26, p50: "51.42ms", p99: "627.27ms"}, f)

	_, err = parseWrk(wrkOutput + "  Non-2xx or 3xx responses: 12\n")
	require.ErrorContains(t, err, "Non-2xx")
	_, err = parseWrk("unable to connect")
	require.Error(t, err)
}
