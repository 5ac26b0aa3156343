// Command route is a plugin that sends records to routes by rules, see its README.
package main

func main() {}
