package table

// maxKeys is how many attribute keys a session numbers before it starts anew.
const maxKeys = 1 << 15

// guestKeys numbers the attribute keys that cross to the guest.
type guestKeys struct {
	numbers map[string]uint32
	// predicted has, by position in a record, the key last seen there: records of one source look alike.
	predicted []predictedKey
	fresh     []string // numbered in the batch in flight
	first     uint32   // the number of fresh[0]
	bytes     int      // of fresh
	sent      bool     // whether the guest gets fresh
}

type predictedKey struct {
	key    string
	number uint32
}

// begin starts a batch. One that was measured but never encoded leaves no numbers behind: the guest knows none of them.
func (k *guestKeys) begin() {
	if !k.sent {
		for _, key := range k.fresh {
			delete(k.numbers, key)
		}
		k.predicted = k.predicted[:0]
	}
	k.sent = false
	if k.numbers == nil || len(k.numbers) > maxKeys {
		k.numbers = map[string]uint32{}
		k.predicted = k.predicted[:0]
	}
	clear(k.fresh)
	k.fresh, k.first, k.bytes = k.fresh[:0], uint32(len(k.numbers)), 0
}

func (k *guestKeys) number(key string, position int) uint32 {
	if position < len(k.predicted) && k.predicted[position].key == key {
		return k.predicted[position].number
	}
	n, ok := k.numbers[key]
	if !ok {
		n = uint32(len(k.numbers))
		k.numbers[key] = n
		k.fresh = append(k.fresh, key)
		k.bytes += len(key)
	}
	if position < len(k.predicted) {
		k.predicted[position] = predictedKey{key, n}
	} else if position == len(k.predicted) && position < 256 {
		k.predicted = append(k.predicted, predictedKey{key, n})
	}
	return n
}
