package sdk

import (
	"unsafe"

	"github.com/obsd-io/obsd/runtime/abi"
)

// The exports of package abi. What is handed to the host stays reachable from guest until the next call,
// and Go does not move it.
var guest struct {
	block  []byte
	text   []byte
	header [abi.ResultHeaderSize]byte
	names  []byte
}

func address(p unsafe.Pointer) uint32 { return uint32(uintptr(p)) }

func pack(b []byte) uint64 {
	return abi.Pack(address(unsafe.Pointer(unsafe.SliceData(b))), uint32(len(b)))
}

//go:wasmexport obsd_abi_v1
func exportMarker() {}

//go:wasmexport obsd_manifest
func exportManifest() uint64 {
	guest.text = manifest()
	return pack(guest.text)
}

//go:wasmexport obsd_configure
func exportConfigure(ptr, length uint32) uint64 {
	text := configure(guest.block[:length])
	if text == "" {
		return 0
	}
	guest.text = []byte(text)
	return pack(guest.text)
}

//go:wasmexport obsd_alloc
func exportAlloc(size uint32) uint32 {
	guest.block = make([]byte, size+ReadAhead)
	return address(unsafe.Pointer(unsafe.SliceData(guest.block)))
}

//go:wasmexport obsd_process
func exportProcess(ptr, length uint32) uint64 { return result(Process(guest.block[:length])) }

//go:wasmexport obsd_flush
func exportFlush(now int64) uint64 {
	var batch [abi.BatchHeaderSize]byte
	le.PutUint64(batch[abi.BatchNow:], uint64(now))
	return result(Process(batch[:]))
}

// result hands a result over, or 0 if it says nothing.
func result(r Result) uint64 {
	fresh := r.Names[plugin.told:]
	if len(r.Verdicts) == 0 && len(r.Edits) == 0 && len(fresh) == 0 {
		return 0
	}
	header := guest.header[:]
	put := func(offset int, p unsafe.Pointer, n int) {
		le.PutUint32(header[offset:], address(p))
		le.PutUint32(header[offset+4:], uint32(n))
	}
	le.PutUint32(header, abi.ResultMagic)
	le.PutUint32(header[abi.ResultRows:], uint32(plugin.batch.rows))
	le.PutUint32(header[abi.ResultVerdicts:], 0)
	if len(r.Verdicts) > 0 {
		le.PutUint32(header[abi.ResultVerdicts:], address(unsafe.Pointer(unsafe.SliceData(r.Verdicts))))
	}
	put(abi.ResultEdits, unsafe.Pointer(unsafe.SliceData(r.Edits)), len(r.Edits)/2)
	put(abi.ResultArena, unsafe.Pointer(unsafe.SliceData(r.Arena)), len(r.Arena))
	put(abi.ResultSets, unsafe.Pointer(unsafe.SliceData(r.Sets)), len(r.Sets))
	guest.names = guest.names[:0]
	for _, s := range fresh {
		guest.names = le.AppendUint64(guest.names, abi.Cell(address(unsafe.Pointer(unsafe.StringData(s))), uint32(len(s))))
	}
	put(abi.ResultNames, unsafe.Pointer(unsafe.SliceData(guest.names)), len(fresh))
	le.PutUint32(header[abi.ResultNamesFirst:], uint32(plugin.told))
	plugin.told = len(r.Names)
	return pack(header)
}
