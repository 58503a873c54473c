package object

import "github.com/postern-go/postern/internal/binary"

// Append appends the attributes as a ticket has them: the values in the table's
// order, flags last, then tags and metadata.
func (a *Attributes) Append(b []byte) []byte {
	for k := range encoded {
		if !table[k].flag {
			b = binary.AppendText(b, a.Values[k])
		}
	}
	for k := range encoded {
		if table[k].flag {
			b = binary.AppendBool(b, a.Values[k] == "true")
		}
	}
	return binary.AppendMap(binary.AppendMap(b, a.Tags), a.Metadata)
}

// ReadAttributes reads what Append wrote.
func ReadAttributes(r *binary.Reader) (a Attributes) {
	for k := range encoded {
		if !table[k].flag {
			a.Values[k] = r.Text()
		}
	}
	for k := range encoded {
		if table[k].flag && r.Bool() {
			a.Values[k] = "true"
		}
	}
	a.Tags, a.Metadata = r.Map(), r.Map()
	return a
}
