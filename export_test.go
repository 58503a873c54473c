package postern

// NameOf returns the name of an option, for fixtures that give defaults.
func NameOf(o HandlerOption) string { return o.handlerOption().name }

// HumanSize writes sizes in details.
var HumanSize = humanSize
