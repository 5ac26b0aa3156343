// Package repotest holds the tests about the repository itself: package docs, import directions, snippets in READMEs, and
// the list of what is linked in. It has no code of its own.
package repotest
