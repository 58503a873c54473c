package natsevents

var Growing = growing
