package jsontext_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/internal/jsontext"
)

func TestMemberIsFoundAsItStands(t *testing.T) {
	for text, want := range map[string]string{
		`{"files":[1]}`: `[1]`,
		` { "a" : {"files":2} , "files" : "x\"y" } `: `"x\"y"`,
		`{"a":"\"files\":1","files":-1.5e3}`:         `-1.5e3`,
		`{"files":{"a":[{}]},"files":2}`:             `{"a":[{}]}`,
		`{"files":null}`:                             ``,
		`{"Files":[1],"fil\u0065s":[2]}`:             ``,
		`{"a":["files",1]}`:                          ``,
		`{"a\\":1,"files":true}`:                     `true`,
		`["files",1]`:                                ``,
		`{}`:                                         ``,
	} {
		require.True(t, json.Valid([]byte(text)), text)
		require.Equal(t, want, string(jsontext.Member([]byte(text), "files")), text)
	}
}

func TestElementsAreThoseOfTheArray(t *testing.T) {
	for text, want := range map[string][]string{
		`[]`:                            nil,
		` [ 1 , "a,]" , {"b":[2,3]} ] `: {`1`, `"a,]"`, `{"b":[2,3]}`},
		`[[],{},null]`:                  {`[]`, `{}`, `null`},
	} {
		list, err := jsontext.Elements([]byte(text), 3)
		require.NoError(t, err)
		var got []string
		for _, e := range list {
			got = append(got, string(e))
		}
		require.Equal(t, want, got, text)
	}
	_, err := jsontext.Elements([]byte(`[1,2,3,4]`), 3)
	require.ErrorIs(t, err, jsontext.ErrTooLong)
	for _, text := range []string{``, `{}`, `"x"`, `1`, `null`} {
		_, err := jsontext.Elements([]byte(text), 3)
		require.ErrorIs(t, err, jsontext.ErrNoList, text)
	}
}

func FuzzSplit(f *testing.F) {
	for _, seed := range []string{`{"files":[1,"a",{"b":[]}]}`, `{"files"`, `{"files":`, `{"files":[`, `{"files":["`, `{"files":["\`, `[1,]`, `{"files":[}]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		member := jsontext.Member(text, "files")
		list, err := jsontext.Elements(member, 100)
		if !json.Valid(text) || strings.Contains(string(text), "iles\"") && strings.Count(string(text), "iles\"") > 1 || strings.Contains(string(text), `\`) {
			return // it has ended
		}
		var want map[string]json.RawMessage
		if json.Unmarshal(text, &want) != nil || want["files"] == nil || string(want["files"]) == "null" {
			require.Nil(t, member)
			return
		}
		require.Equal(t, string(want["files"]), string(member))
		var elements []json.RawMessage
		if json.Unmarshal(member, &elements) != nil {
			require.ErrorIs(t, err, jsontext.ErrNoList)
			return
		}
		if err == nil {
			require.Len(t, list, len(elements))
			for k := range list {
				require.Equal(t, string(elements[k]), string(list[k]))
			}
		}
	})
}
