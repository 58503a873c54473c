package sqsevents

var Growing = growing
