package wasmbin

// dispatch knows the loops that Go's compiler makes of a function's jumps (cmd/internal/obj/wasm: the entryPointLoop):
//
//	loop $jump  block $n … block $1  block $0
//	  local.get $pc  br_table $0 $1 … $n
//	end $0  …  end $1  …  end $n
//	end $jump
//
// Each jump within the function is `i32.const k  local.set $pc  br $jump`: it goes to the end of the block that label k
// leads to. If that block is still open where the jump is, the jump goes forward, and is rewritten to go there at once:
// `i32.const k  local.set $pc  br $k`. Otherwise it goes back to a place that has been read, and its distance is known.
// Instructions belong together if each begins at the offset where the one before ends.
type dispatch struct {
	loops   []jumps
	targets []int32 // of all loops: the frame's number, counted from the loop's frame; 0 for none of its blocks
	ends    []int64 // of all loops' blocks: the weight where one ended, or -1 while it is open

	// Where the last constant begins and ends, and of the last local.set or local.tee that took one: where it ends,
	// its local, and where the constant begins.
	constant, constantEnd int
	setEnd                int
	setLocal              uint32
	setConstant           int

	// The loop that may turn out to be one: its frame's number, and where the instruction must be that comes next, or -1.
	head, next int
	local      uint32
	stage      stage
}

type stage uint8

const (
	noLoop   stage = iota
	inBlocks       // after the loop and any number of blocks
	afterGet       // after local.get
	inTable        // at br_table
)

// jumps is one such loop.
type jumps struct {
	local          uint32
	head           int // the loop's frame
	targets, count int // in dispatch.targets
	ends           int // in dispatch.ends
	weight         int64
}

func (d *dispatch) reset() {
	*d = dispatch{loops: d.loops[:0], targets: d.targets[:0], ends: d.ends[:0], constantEnd: -1, setEnd: -1, next: -1}
}

// set hears of each local.set and local.tee of a constant.
func (d *dispatch) set(constant, end int, local uint32) {
	d.setConstant, d.setEnd, d.setLocal = constant, end, local
}

// opened hears of each block, loop and if: where it begins and ends, the number of its frame, and whether it has
// neither parameters nor results.
func (d *dispatch) opened(code byte, at, end, number int, void bool) {
	switch {
	case code == opLoop && void:
		d.stage, d.head, d.next = inBlocks, number, end
	case code == opBlock && void && d.stage == inBlocks && at == d.next:
		d.next = end
	default:
		d.stage, d.next = noLoop, -1
	}
}

func (d *dispatch) get(at, end int, local uint32) {
	if d.stage == inBlocks && at == d.next {
		d.stage, d.local, d.next = afterGet, local, end
		return
	}
	d.stage, d.next = noLoop, -1
}

func (d *dispatch) table(at int) {
	if d.stage == afterGet && at == d.next {
		d.stage = inTable
		d.loops = append(d.loops, jumps{local: d.local, head: d.head, targets: len(d.targets), ends: len(d.ends)})
		return
	}
	d.stage, d.next = noLoop, -1
}

// entry hears of each label of a br_table: its frame's number.
func (d *dispatch) entry(number int) {
	if d.stage == inTable {
		d.targets = append(d.targets, int32(max(number-d.head, 0)))
	}
}

// finish ends the loop's head, after br_table. weight is the function's there.
func (d *dispatch) finish(weight int64, frames []frame) {
	if d.stage != inTable {
		return
	}
	d.stage, d.next = noLoop, -1
	n := int32(len(d.loops))
	l := &d.loops[n-1]
	l.count = len(d.targets) - l.targets
	l.weight = weight - frames[d.head].weight
	frames[d.head].headOf = n
	d.ends = append(d.ends, 0)
	for i := d.head + 1; i < len(frames); i++ {
		frames[i].switchTo = n
		d.ends = append(d.ends, -1)
	}
}

func (d *dispatch) closed(loop int32, number int, weight int64) {
	l := &d.loops[loop]
	d.ends[l.ends+number-l.head] = weight - l.weight
}

// destination says where a br at an offset goes that leads to a loop, which may be one of these: to the end of the
// block of that frame, if it is open, or to where the function's weight was past, less the loop's head.
func (d *dispatch) destination(b []byte, loop int32, at int) (open int, past int64, known bool) {
	if loop < 0 || at != d.setEnd {
		return 0, -1, false
	}
	l := &d.loops[loop]
	if d.setLocal != l.local || b[d.setConstant] != opI32Const {
		return 0, -1, false
	}
	r := reader{b: b, pos: d.setConstant + 1, end: d.constantEnd}
	k := int(min(uint32(r.signed(32)), uint32(l.count-1)))
	target := d.targets[l.targets+k]
	if target == 0 {
		return 0, -1, false
	}
	if end := d.ends[l.ends+int(target)]; end >= 0 {
		return 0, end, true
	}
	return l.head + int(target), -1, true
}
