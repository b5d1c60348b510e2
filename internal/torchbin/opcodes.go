package torchbin

// opcode is one instruction of the pickle machine. Those without run are known and refused: torch.save does not write
// them in protocols 2 to 5.
type opcode struct {
	name string // as pickletools has it
	run  func(*machine) error
}

// opcodes is filled by a function, for its entries lead back to it.
var opcodes = makeOpcodes()

func makeOpcodes() [256]opcode {
	push := func(k kind, a int) func(*machine) error {
		return func(m *machine) error { return m.push(pack(k, a, 0)) }
	}
	return [256]opcode{
		0x80: {"PROTO", (*machine).proto},
		0x95: {"FRAME", (*machine).frame},
		'.':  {"STOP", (*machine).stop},

		'N':  {"NONE", push(kindNone, 0)},
		0x88: {"NEWTRUE", push(kindBool, 1)},
		0x89: {"NEWFALSE", push(kindBool, 0)},
		'K':  {"BININT1", func(m *machine) error { return m.binInt(1) }},
		'M':  {"BININT2", func(m *machine) error { return m.binInt(2) }},
		'J':  {"BININT", func(m *machine) error { return m.binInt(4) }},
		0x8a: {"LONG1", (*machine).long},
		'G':  {"BINFLOAT", (*machine).binFloat},
		'X':  {"BINUNICODE", func(m *machine) error { return m.bytes(kindText, 4) }},
		0x8c: {"SHORT_BINUNICODE", func(m *machine) error { return m.bytes(kindText, 1) }},
		'U':  {"SHORT_BINSTRING", func(m *machine) error { return m.bytes(kindBytes, 1) }},
		'B':  {"BINBYTES", func(m *machine) error { return m.bytes(kindBytes, 4) }},
		'C':  {"SHORT_BINBYTES", func(m *machine) error { return m.bytes(kindBytes, 1) }},

		'(':  {"MARK", (*machine).mark},
		')':  {"EMPTY_TUPLE", push(kindTuple, 0)},
		0x85: {"TUPLE1", func(m *machine) error { return m.tuple(1) }},
		0x86: {"TUPLE2", func(m *machine) error { return m.tuple(2) }},
		0x87: {"TUPLE3", func(m *machine) error { return m.tuple(3) }},
		't':  {"TUPLE", (*machine).markTuple},
		']':  {"EMPTY_LIST", (*machine).emptyList},
		'a':  {"APPEND", (*machine).appendOne},
		'e':  {"APPENDS", func(m *machine) error { return m.appends(kindList) }},
		0x8f: {"EMPTY_SET", push(kindSet, 0)},
		0x90: {"ADDITEMS", func(m *machine) error { return m.appends(kindSet) }},
		'}':  {"EMPTY_DICT", func(m *machine) error { return m.push(m.newDict(kindDict)) }},
		's':  {"SETITEM", (*machine).setItem},
		'u':  {"SETITEMS", (*machine).setItems},

		'q':  {"BINPUT", func(m *machine) error { return m.put(1) }},
		'r':  {"LONG_BINPUT", func(m *machine) error { return m.put(4) }},
		0x94: {"MEMOIZE", (*machine).memoize},
		'h':  {"BINGET", func(m *machine) error { return m.get(1) }},
		'j':  {"LONG_BINGET", func(m *machine) error { return m.get(4) }},

		'c':  {"GLOBAL", (*machine).global},
		0x93: {"STACK_GLOBAL", (*machine).stackGlobal},
		'Q':  {"BINPERSID", (*machine).persistentID},
		'R':  {"REDUCE", (*machine).reduce},
		'b':  {"BUILD", (*machine).build},
		0x81: {"NEWOBJ", (*machine).newObj},
		'i':  {"INST", (*machine).inst}, // reads the name it is refused by

		'0': {name: "POP"}, '1': {name: "POP_MARK"}, '2': {name: "DUP"}, 'F': {name: "FLOAT"}, 'I': {name: "INT"},
		'L': {name: "LONG"}, 'P': {name: "PERSID"}, 'S': {name: "STRING"}, 'T': {name: "BINSTRING"},
		'V': {name: "UNICODE"}, 'd': {name: "DICT"}, 'g': {name: "GET"}, 'l': {name: "LIST"}, 'o': {name: "OBJ"},
		'p': {name: "PUT"}, 0x82: {name: "EXT1"}, 0x83: {name: "EXT2"}, 0x84: {name: "EXT4"},
		0x8b: {name: "LONG4"}, 0x8d: {name: "BINUNICODE8"}, 0x8e: {name: "BINBYTES8"}, 0x91: {name: "FROZENSET"},
		0x92: {name: "NEWOBJ_EX"}, 0x96: {name: "BYTEARRAY8"}, 0x97: {name: "NEXT_BUFFER"}, 0x98: {name: "READONLY_BUFFER"},
	}
}
