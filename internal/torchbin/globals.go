package torchbin

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/tensor"
)

// role says what a global stands for.
type role uint8

const (
	roleOrderedDict role = iota
	roleTensorV2
	roleTensorV3
	roleQuantized
	roleQuantizer
	roleParameter
	roleParameterState
	roleSize
	roleDevice
	roleStorage
	roleUntyped
	roleDType
	roleTyped // a tensor of a class, with attributes
	roleInert // of objects that trainers keep beside tensors: their attributes can be read, and that is all
)

// global is a class or function that a pickle may name. None of them exists here beyond its role.
type global struct {
	module, name string
	role         role
	dtype        tensor.DType // of roleStorage and roleDType
	size         int          // bytes per element, of roleStorage
}

func (g *global) String() string { return g.module + "." + g.name }

// globals are all that a pickle may name; globalIndex finds them by exact module and name.
var (
	globals     = makeGlobals()
	globalIndex = indexGlobals()
)

func makeGlobals() []global {
	list := []global{
		{"collections", "OrderedDict", roleOrderedDict, 0, 0},
		{"torch._utils", "_rebuild_tensor_v2", roleTensorV2, 0, 0},
		{"torch._utils", "_rebuild_tensor_v3", roleTensorV3, 0, 0},
		{"torch._utils", "_rebuild_qtensor", roleQuantized, 0, 0},
		{"torch._utils", "_rebuild_parameter", roleParameter, 0, 0},
		{"torch._utils", "_rebuild_parameter_with_state", roleParameterState, 0, 0},
		{"torch", "Size", roleSize, 0, 0},
		{"torch", "device", roleDevice, 0, 0},
		{"torch.storage", "UntypedStorage", roleUntyped, tensor.U8, 1},
		{"torch._tensor", "_rebuild_from_type_v2", roleTyped, 0, 0},
	}
	for module, names := range inert {
		for _, name := range names {
			list = append(list, global{module, name, roleInert, 0, 0})
		}
	}
	for _, s := range storageTypes {
		list = append(list, global{"torch", s.name, roleStorage, s.dtype, s.size}, global{"torch.cuda", s.name, roleStorage, s.dtype, s.size})
	}
	for _, name := range quantizers {
		list = append(list, global{"torch", name, roleQuantizer, 0, 0})
	}
	for d := range tensor.DTypes() {
		if name := d.Torch(); name != "" {
			list = append(list, global{"torch", name, roleDType, d, 0})
		}
	}
	return list
}

func indexGlobals() map[[2]string]int {
	index := make(map[[2]string]int, len(globals))
	for i := range globals {
		index[[2]string{globals[i].module, globals[i].name}] = i
	}
	return index
}

// pushGlobal pushes the global of that name, or refuses it.
func (m *machine) pushGlobal(module, name []byte) error {
	if i, ok := globalIndex[[2]string{string(module), string(name)}]; ok {
		return m.push(pack(kindGlobal, i, 0))
	}
	return m.refuse(module, name)
}

// refuse turns down a global by name.
func (m *machine) refuse(module, name []byte) error {
	if string(name) == "_rebuild_wrapper_subclass" || bytes.HasPrefix(module, []byte("torchao.")) {
		return m.unsupported("the pickle asks for %s: weights are of a class of tensors that is not PyTorch's own, as torchao quantizes them, and nothing was executed. "+
			"Load the model in Python and save it as safetensors, which save_pretrained does", badfile.Quote(string(bytes.Join([][]byte{module, name}, []byte(".")))))
	}
	return m.unsupported("the pickle asks for %s, which does not belong in a file of tensors; nothing was executed. "+
		"If you trust the file, load it in Python and save its state_dict alone",
		badfile.Quote(string(bytes.Join([][]byte{module, name}, []byte(".")))))
}

// global pushes a global whose module and name are lines.
func (m *machine) global() error {
	module, err := m.line()
	if err != nil {
		return err
	}
	name, err := m.line()
	if err != nil {
		return err
	}
	return m.pushGlobal(module, name)
}

// inst refuses what global would push and call.
func (m *machine) inst() error {
	module, err := m.line()
	if err != nil {
		return err
	}
	name, err := m.line()
	if err != nil {
		return err
	}
	if _, ok := globalIndex[[2]string{string(module), string(name)}]; !ok {
		return m.refuse(module, name)
	}
	return m.unsupported("found the pickle opcode INST, which torch.save does not write; nothing was executed")
}

// stackGlobal pushes a global whose module and name are the two texts on the stack.
func (m *machine) stackGlobal() error {
	top, err := m.pop(2)
	if err != nil {
		return err
	}
	if top[0].kind() != kindText || top[1].kind() != kindText {
		return m.bad("the pickle names a class or function by %s and %s, expected two strings", top[0].kind(), top[1].kind())
	}
	module, name := m.text(top[0]), m.text(top[1])
	if !utf8.Valid(module) || !utf8.Valid(name) {
		return m.bad("the name of a class or function in the pickle is not UTF-8")
	}
	return m.pushGlobal(module, name)
}

// persistentID replaces an id by the storage it stands for. Whether there is such a storage is not asked here.
func (m *machine) persistentID() error {
	top, err := m.pop(1)
	if err != nil {
		return err
	}
	if top[0].kind() != kindTuple {
		return m.bad("a persistent id of the pickle is %s, expected a tuple", top[0].kind())
	}
	id := m.tupleItems(top[0])
	want := 5
	if m.legacy {
		want = 6
	}
	switch {
	case len(id) > 0 && m.is(id[0], "module"):
		return m.unsupported("holds a whole module, not a state_dict; load it in Python and save its state_dict alone")
	case len(id) != want || !m.is(id[0], "storage"):
		return m.bad("a persistent id of the pickle has %s, expected %d that begin with 'storage'", badfile.Count(len(id), "item"), want)
	case !m.isRole(id[1], roleStorage) && !m.isRole(id[1], roleUntyped):
		return m.bad("the type of a storage in the pickle is %s, expected a storage class", m.spell(id[1]))
	case id[2].kind() == kindText && id[2].b() > maxGlobal:
		return m.unsupported("the key of a storage in the pickle has %d bytes, more than the %d this program reads", id[2].b(), maxGlobal)
	case id[2].kind() != kindText:
		return m.bad("the key of a storage in the pickle is %s, expected a str", id[2].kind())
	}
	if n, ok := id[4].int(); !ok || n < 0 {
		return m.bad("the number of elements of storage %s is %s, expected a count", m.quote(id[2]), m.spell(id[4]))
	}
	if m.legacy && id[5].kind() != kindNone && (id[5].kind() != kindTuple || id[5].b() != 3) {
		return m.bad("the view of storage %s is %s, expected None or a tuple of 3", m.quote(id[2]), id[5].kind())
	}
	if m.asked != nil {
		m.asked.push(top[0])
	}
	return m.push(pack(kindStorage, top[0].a(), top[0].b()))
}

// reduce applies a function to a tuple, which here means to check the tuple and to remember it.
func (m *machine) reduce() error {
	top, err := m.pop(2)
	if err != nil {
		return err
	}
	f, args := top[0], top[1]
	if f.kind() != kindGlobal {
		return m.bad("the pickle calls %s", f.kind())
	}
	g := &globals[f.a()]
	if g.role == roleInert {
		return m.push(m.newObject(f, args))
	}
	if args.kind() != kindTuple {
		return m.bad("the pickle calls %s with %s, expected a tuple", g, args.kind())
	}
	ok := false
	result := pack(kindOpaque, 0, 0)
	switch list := m.tupleItems(args); g.role {
	case roleOrderedDict:
		ok, result = len(list) == 0, m.newDict(kindOrdered)
	case roleTensorV2:
		ok, result = m.fits(list, 6, 7), pack(kindTensor, args.a(), args.b())
	case roleTensorV3:
		ok, result = m.fits(list, 7, 8) && m.isRole(list[6], roleDType), pack(kindTensor, args.a(), args.b())|thirdVersion
	case roleQuantized:
		ok = m.fits(list, 7, 7) && list[4].kind() == kindTuple && !globals[m.tupleItems(list[0])[1].a()].dtype.Plain()
		result = pack(kindTensor, args.a(), args.b()-1)
	case roleTyped:
		if ok = len(list) == 4 && m.isRole(list[0], roleTensorV2) && list[2].kind() == kindTuple; ok {
			args, result = list[2], pack(kindTensor, list[2].a(), list[2].b())
			ok = m.fits(m.tupleItems(args), 6, 7)
		}
	case roleParameter:
		ok = len(list) == 3 && list[0].kind() == kindTensor
	case roleParameterState:
		ok = len(list) == 4 && list[0].kind() == kindTensor
	case roleSize:
		ok = len(list) == 1 && list[0].kind() == kindTuple
	case roleDevice:
		ok = len(list) == 1 && list[0].kind() == kindText || len(list) == 2 && list[0].kind() == kindText && list[1].kind() == kindInt
	default:
		return m.bad("the pickle calls %s, which is not a function", g)
	}
	if !ok {
		kinds := make([]string, 0, 8)
		for _, v := range m.tupleItems(args)[:min(args.b(), cap(kinds))] {
			kinds = append(kinds, v.kind().String())
		}
		return m.bad("the pickle calls %s with %s it does not take (%s)", g, badfile.Count(args.b(), "argument"), strings.Join(kinds, ", "))
	}
	if g.role == roleParameter || g.role == roleParameterState || g.role == roleSize {
		result = m.tupleItems(args)[0]
	}
	return m.push(result)
}

// thirdVersion marks the arguments of _rebuild_tensor_v3 in the length of their tuple.
const thirdVersion value = 1 << 8

// tensorArgs returns the arguments that rebuild a tensor, and whether they are those of _rebuild_tensor_v3.
func (m *machine) tensorArgs(v value) (args []value, third bool) {
	return m.items.slice(v.a(), v.b()&int(thirdVersion-1)), v&thirdVersion != 0
}

// fits reports whether args begin as the arguments of a function that rebuilds a tensor, and number least or most.
func (m *machine) fits(args []value, least, most int) bool {
	return len(args) >= least && len(args) <= most && args[0].kind() == kindStorage && args[1].kind() == kindInt &&
		args[2].kind() == kindTuple && args[3].kind() == kindTuple
}

// build drops the attributes of an OrderedDict, such as a state dict's _metadata.
func (m *machine) build() error {
	top, err := m.pop(2)
	if err != nil {
		return err
	}
	if top[0].kind() == kindObject {
		if m.keep {
			m.link(top[0].a(), []value{pack(kindNone, 0, 0), top[1]})
		}
		m.stack = m.stack[:len(m.stack)+1] // the object stays
		return nil
	}
	if top[0].kind() != kindOrdered || !top[1].isDict() {
		return m.bad("the pickle sets attributes of %s by %s, expected those of an OrderedDict by a dict", top[0].kind(), top[1].kind())
	}
	m.stack = m.stack[:len(m.stack)+1] // the dict stays
	return nil
}

func (m *machine) isRole(v value, r role) bool {
	return v.kind() == kindGlobal && globals[v.a()].role == r
}

// spell describes a value in a message.
func (m *machine) spell(v value) string {
	if v.kind() == kindGlobal {
		return globals[v.a()].String()
	}
	if i, ok := v.int(); ok {
		return strconv.FormatInt(i, 10)
	}
	return v.kind().String()
}

// quote renders a text in a message.
func (m *machine) quote(v value) string {
	text := m.text(v)
	return badfile.Quote(string(text[:min(len(text), maxGlobal)]))
}

// spellKey describes the key of a dict in a message: a text is quoted.
func (m *machine) spellKey(key value) string {
	if key.kind() == kindText {
		return m.quote(key)
	}
	return m.spell(key)
}
