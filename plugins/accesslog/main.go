// Command accesslog is a plugin that parses the access logs of nginx and Apache, see its README.
package main

func main() {}
