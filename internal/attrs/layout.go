package attrs

import (
	"reflect"
	"unsafe"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// mapOf is a pcommon.Map: internal.MapWrapper of pdata.
type mapOf struct {
	orig  *[]entry
	state unsafe.Pointer
}

// entry is an internal.KeyValue of pdata.
type entry struct {
	value boxed
	key   string
	_     int32 // KeyStrindex, of profiles
}

// boxed is an internal.AnyValue of pdata, which is an interface: a type and a pointer to an AnyValue_StringValue,
// AnyValue_IntValue, and so on, each a struct of the value alone.
type boxed struct{ typ, value unsafe.Pointer }

// numberAt is where in a cell a number is: behind the pointer of the string.
const numberAt = unsafe.Sizeof(uintptr(0))

// The words that say the types in a boxed, and whether this is the pdata that the structs above are of.
var (
	stringType, intType, doubleType, boolType unsafe.Pointer

	known = look()
)

// entriesOf are the map's own.
func entriesOf(m pcommon.Map) *[]entry {
	return (*mapOf)(unsafe.Pointer(&m)).orig
}

// look compares the layouts, and reads the words of the types from a map that pdata has made.
func look() bool {
	wrapper := reflect.TypeFor[pcommon.Map]()
	if unsafe.Sizeof(uintptr(0)) != 8 || !sameLayout(wrapper, reflect.TypeFor[mapOf](), "orig", "state") || !isListOfEntries(wrapper.Field(0).Type) {
		return false
	}
	m := pcommon.NewMap()
	m.PutStr("a", "text")
	m.PutInt("b", 7)
	m.PutDouble("c", 0.5)
	m.PutBool("d", true)
	all := *entriesOf(m)
	stringType, intType, doubleType, boolType = all[0].value.typ, all[1].value.typ, all[2].value.typ, all[3].value.typ
	return isBoxOf(&all[0], "text") && isBoxOf(&all[1], int64(7)) && isBoxOf(&all[2], 0.5) && isBoxOf(&all[3], true)
}

// isListOfEntries says whether a type is a pointer to a slice of what an entry is.
func isListOfEntries(list reflect.Type) bool {
	if list.Kind() != reflect.Pointer || list.Elem().Kind() != reflect.Slice {
		return false
	}
	keyValue := list.Elem().Elem()
	if !sameLayout(keyValue, reflect.TypeFor[entry](), "Value", "Key", "KeyStrindex") {
		return false
	}
	value := keyValue.Field(0).Type
	return value.Kind() == reflect.Struct && value.NumField() == 1 && value.Field(0).Type == reflect.TypeFor[any]() &&
		keyValue.Field(1).Type.Kind() == reflect.String && keyValue.Field(2).Type.Kind() == reflect.Int32
}

// sameLayout says whether a struct has just the members named, and where and how large those of ours are.
func sameLayout(theirs, ours reflect.Type, names ...string) bool {
	if theirs.Kind() != reflect.Struct || theirs.NumField() != len(names) || theirs.Size() != ours.Size() {
		return false
	}
	for i, name := range names {
		a, b := theirs.Field(i), ours.Field(i)
		if a.Name != name || a.Offset != b.Offset || a.Type.Size() != b.Type.Size() {
			return false
		}
	}
	return true
}

// isBoxOf says whether an entry's value is a pointer to a struct of one T alone, and has it.
func isBoxOf[T comparable](e *entry, want T) bool {
	v := reflect.ValueOf(*(*any)(unsafe.Pointer(&e.value)))
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct || v.Elem().NumField() != 1 {
		return false
	}
	return v.Elem().Field(0).Type() == reflect.TypeFor[T]() && *(*T)(v.UnsafePointer()) == want
}
