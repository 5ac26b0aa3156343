// Command json is a plugin that turns a JSON object in a record into the record's attributes, severity, time and
// body, see its README.
package main

func main() {}
