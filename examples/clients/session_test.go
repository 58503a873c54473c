package main

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSignInReadsASmallFormOnly(t *testing.T) {
	for body, cookies := range map[string]int{
		"tenant=acme":   1,
		"tenant=nobody": 0,
		"x=" + strings.Repeat("x", 1<<10) + "&tenant=acme": 0,
	} {
		r := httptest.NewRequest("POST", "/sign-in", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		newSessions().signIn(w, r)
		require.Equal(t, 303, w.Code)
		require.Len(t, w.Result().Cookies(), cookies, len(body))
	}
}
