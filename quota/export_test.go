package quota

// Kept tells how much a store remembers.
func Kept(m *Memory) (accounts, uploads int) { return len(m.accounts), len(m.uploads) }
