package jsontext

// Member returns the value of the object's member of that name as it stands in b, or nil
// if there is none or it is null. The first of several counts, and a name that is written
// with escapes is another one. It copies nothing, and finds something only by chance in
// what is no valid JSON: check that as well.
func Member(b []byte, name string) []byte {
	i := space(b, 0)
	if i == len(b) || b[i] != '{' {
		return nil
	}
	for i++; ; i++ {
		i = space(b, i)
		if i == len(b) || b[i] != '"' {
			return nil
		}
		end := value(b, i)
		found := end-i == len(name)+2 && string(b[i+1:end-1]) == name
		if i = space(b, end); i == len(b) || b[i] != ':' {
			return nil
		}
		i = space(b, i+1)
		end = value(b, i)
		if found {
			if end == i || string(b[i:end]) == "null" {
				return nil
			}
			return b[i:end]
		}
		if i = space(b, end); i == len(b) || b[i] != ',' {
			return nil
		}
	}
}

// Elements returns the elements of the array as they stand in b, which must be valid
// JSON. The error is [ErrTooLong], or tells that it is no array.
func Elements(b []byte, max int) (list [][]byte, err error) {
	i := space(b, 0)
	if i == len(b) || b[i] != '[' {
		return nil, ErrNoList
	}
	for i = space(b, i+1); i < len(b) && b[i] != ']'; {
		end := value(b, i)
		if end == i {
			return nil, ErrNoList
		}
		if len(list) == max {
			return nil, ErrTooLong
		}
		list = append(list, b[i:end:end])
		if i = space(b, end); i < len(b) && b[i] == ',' {
			i = space(b, i+1)
		}
	}
	return list, nil
}

// space returns where what is no white space begins.
func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// value returns where the value that begins at i ends.
func value(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			i = quoted(b, i)
		case '{', '[':
			depth++
			i++
		case '}', ']':
			if depth == 0 {
				return i
			}
			depth--
			i++
		case ',', ':', ' ', '\n', '\r', '\t':
			if depth == 0 {
				return i
			}
			i++
			continue
		default:
			i = plain(b, i)
		}
		if depth == 0 {
			return i
		}
	}
	return i
}

// quoted returns where the string that begins at i ends.
func quoted(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

// plain returns where a number or a word ends.
func plain(b []byte, i int) int {
	for ; i < len(b); i++ {
		switch b[i] {
		case ',', ':', ' ', '\n', '\r', '\t', '"', '{', '}', '[', ']':
			return i
		}
	}
	return i
}
