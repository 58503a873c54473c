package jsontext

import (
	"bytes"
	"encoding/json"
	"errors"
)

// ErrTooLong means that a list has more elements than it may.
var ErrTooLong = errors.New("the list is too long")

// ErrNoList means that there is something else than a list.
var ErrNoList = errors.New("this is no list")

// DecodeList decodes a JSON array element by element, so that a list which is too
// long costs no more than one of max elements. null is an empty list.
func DecodeList[T any](b []byte, max int) ([]T, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	switch t, err := d.Token(); {
	case err != nil:
		return nil, err
	case t == nil:
		return nil, nil
	case t != json.Delim('['):
		return nil, &json.UnmarshalTypeError{Value: "value", Field: "list"}
	}
	var list []T
	for d.More() {
		if len(list) == max {
			return nil, ErrTooLong
		}
		var element T
		if err := d.Decode(&element); err != nil {
			return nil, err
		}
		list = append(list, element)
	}
	_, err := d.Token() // the bracket
	return list, err
}
