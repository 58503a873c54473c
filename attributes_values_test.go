package postern

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Every field of Attributes is in the table's form: one that was forgotten would
// never be stored.
func TestAllAttributesHaveAValue(t *testing.T) {
	var a Attributes
	var fill func(v reflect.Value, name string)
	var want []string
	fill = func(v reflect.Value, name string) {
		switch {
		case v.Type() == reflect.TypeFor[time.Time]():
			v.Set(reflect.ValueOf(time.Date(2033, 1, 2, 3, 4, 5, 6, time.UTC)))
			want = append(want, "2033-01-02T03:04:05Z")
			return
		case name == "Attributes.ObjectLock.LegalHold":
			v.SetBool(true)
			want = append(want, "ON")
			return
		}
		switch v.Kind() {
		case reflect.String:
			v.SetString(name)
			want = append(want, name)
		case reflect.Bool:
			v.SetBool(true)
			want = append(want, "true")
		case reflect.Map:
			v.Set(reflect.ValueOf(map[string]string{name: name}))
		case reflect.Struct:
			for _, field := range reflect.VisibleFields(v.Type()) {
				fill(v.FieldByIndex(field.Index), name+"."+field.Name)
			}
		default:
			require.Fail(t, "a kind that nobody thought of", v.Kind())
		}
	}
	fill(reflect.ValueOf(&a).Elem(), "Attributes")
	v := a.values()
	got := slices.DeleteFunc(slices.Clone(v.Values[:]), func(s string) bool { return s == "" })
	require.ElementsMatch(t, want, got)
	require.Equal(t, a.Tags, v.Tags)
	require.Equal(t, a.Metadata, v.Metadata)
}
