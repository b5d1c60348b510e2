package torchbin

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/tensor"
	"github.com/google/go-cmp/cmp"
)

// TestUnusual holds files that look odd and are right.
func TestUnusual(t *testing.T) {
	one := dict("a", vector(1))
	sparse := proto + "}(" + str("a") + vector(1) + "r\xff\xff\xff\xffq\x05" + str("b") + "h\x05" + str("c") + "j\xff\xff\xff\xffu."
	for name, c := range map[string]struct {
		data []byte
		want []string
	}{
		"no byte order":        {archive(one, "t/data/0", four), []string{"a"}},
		"byte order":           {archive(one, "t/byteorder", "little", "t/data/0", four), []string{"a"}},
		"other records":        {archive(one, "t/data/0", four, "t/data/99", "", "__MACOSX/x", "y", "z", ""), []string{"a"}},
		"folders":              {zipOf("t/", "", "t/data.pkl", one, "t/data/", "", "t/data/0", four), []string{"a"}},
		"comment":              {append(set(good, 0, endOfZip, 20, 8), "PK\x05\x06 me!"...), []string{"a"}},
		"pickle last":          {zipOf("t/data/0", four, "t/data.pkl", one), []string{"a"}},
		"other zip writer":     {deflateRecord(good, ""), []string{"a"}},
		"deflated":             {deflated(one, "t/byteorder", "little", "t/data/0", four), []string{"a"}},
		"deflated storage":     {deflateRecord(archive(one, "t/data/0", four), "t/data/0"), []string{"a"}},
		"deflated byte order":  {deflateRecord(archive(one, "t/byteorder", "little", "t/data/0", four), "t/byteorder"), []string{"a"}},
		"empty":                {archive(dict()), nil},
		"module of nothing":    {archive(proto + orderedDict + "}" + str("_metadata") + "}sb."), nil},
		"numbers in memo":      {archive(sparse, "t/data/0", four), []string{"a", "b", "c"}},
		"keys of all kinds":    {archive(proto+"}(K\x01NG12345678NN\x88)}"+str("a")+vector(1)+"u.", "t/data/0", four), []string{"a"}},
		"torch.cuda":           {archive(strings.Replace(one, "ctorch\nFloat", "ctorch.cuda\nFloat", 1), "t/data/0", four), []string{"a"}},
		"size of torch.Size":   {archive(dict("a", viewOf(pid("FloatStorage", "0", 1), 0, call(glob("torch", "Size"), nums(1)), nums(1))), "t/data/0", four), []string{"a"}},
		"no metadata":          {archive(dict("a", call(rebuild, pid("FloatStorage", "0", 1), num(0), nums(1), nums(1), "\x89", "N", "N")), "t/data/0", four), []string{"a"}},
		"long tuple":           {archive(dict("a", vector(1), "x", nums(make([]int64, 100)...)), "t/data/0", four), []string{"a"}},
		"strides of ones":      {archive(dict("a", viewOf(pid("FloatStorage", "0", 1), 0, nums(1, 1), nums(77, 5))), "t/data/0", four), []string{"a"}},
		"nothing of nothing":   {archive(dict("a", viewOf(pid("FloatStorage", "0", 0), 0, nums(0, 5), nums(5, 1))), "t/data/0", ""), []string{"a"}},
		"wrapped thrice":       {archive(dict("model", items("x", "N"), "module", items("state_dict", items("model", items("a", vector(1))))), "t/data/0", four), []string{"a"}},
		"state of a generator": {archive(dict("rng", vector(1), "model", items("b", vector(1))), "t/data/0", four), []string{"b"}},
		"no wrapper":           {archive(dict("a", vector(1), "model", items("n", "K\x01")), "t/data/0", four), []string{"a"}},
		"expanded":             {archive(dict("a", viewOf(pid("FloatStorage", "0", 1), 0, nums(2, 3), nums(0, 0))), "t/data/0", four), []string{"a"}},
		"prefix of some":       {archive(dict("module.a", vector(1), "b", vector(1)), "t/data/0", four), []string{"module.a", "b"}},
		"prefix alone":         {archive(dict("module.", vector(1)), "t/data/0", four), []string{"module."}},
		"old":                  {goodLegacy, []string{"a"}},
		"old view":             {legacy(dict("a", viewOf(pid("FloatStorage", "7", 3, "("+str("8")+num(1)+num(1)+"t"), 0, nums(1), nums(1))), []string{"7"}, stored(3, "abcd"+four+"efgh")), []string{"a"}},
		"old, not sorted":      {legacy(dict("a", vectorOf("7", 1, "N"), "b", vectorOf("8", 2, "N")), []string{"8", "7"}, stored(2, four+four), stored(1, four)), []string{"a", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Parse("f", c.data)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, x := range f.Tensors() {
				names = append(names, x.Name)
				for _, v := range numbers(x) {
					if v != 1 {
						t.Errorf("%s is %v", x.Name, v)
					}
				}
			}
			if diff := cmp.Diff(c.want, names); diff != "" {
				t.Error(diff)
			}
			if err := errors.Join(f.VerifyCRC(t.Context()), f.Changed(), f.Close()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestForeignDTypes reads what no network here computes with: its names, dtypes, shapes and bytes.
func TestForeignDTypes(t *testing.T) {
	untyped := func(dtype, size string) string {
		return call(rebuild3, "("+str("storage")+glob("torch.storage", "UntypedStorage")+str("0")+str("cpu")+size+"tQ", num(0), nums(2), nums(1),
			"\x89", orderedDict, glob("torch", dtype))
	}
	quantized := func(class, kind string, params ...string) string {
		return call(glob("torch._utils", "_rebuild_qtensor"), pid(class, "0", 4), num(0), nums(4), nums(1),
			"("+glob("torch", kind)+strings.Join(params, "")+"t", "\x89", orderedDict)
	}
	conjugated := call(rebuild, pid("ComplexFloatStorage", "0", 2), num(0), nums(2), nums(1), "\x89", orderedDict, items("conj", "\x88"))
	for dtype, c := range map[tensor.DType]struct {
		tensor string
		bytes  int // of the storage
		elems  int
	}{
		tensor.C64:      {viewOf(pid("ComplexFloatStorage", "0", 4), 0, nums(2, 2), nums(1, 2)), 32, 4},
		tensor.C128:     {viewOf(pid("ComplexDoubleStorage", "0", 2), 0, nums(2), nums(1)), 32, 2},
		tensor.C32:      {untyped("complex32", "K\x08"), 8, 2},
		tensor.F8_E4M3:  {untyped("float8_e4m3fn", "K\x02"), 2, 2},
		tensor.F4x2:     {untyped("float4_e2m1fn_x2", "K\x02"), 2, 2},
		tensor.QInt8:    {quantized("QInt8Storage", "per_tensor_affine", "G\x3f\xf0\x00\x00\x00\x00\x00\x00", num(0)), 4, 4},
		tensor.QUInt4x2: {quantized("QUInt4x2Storage", "per_channel_affine", conjugated, conjugated, num(0)), 4, 4},
	} {
		f, err := Parse("f", archive(dict("a", c.tensor), "t/data/0", strings.Repeat("x", c.bytes)))
		if err != nil {
			t.Errorf("%s: %v", dtype, err)
			continue
		}
		if x := f.Tensors()[0]; x.Name != "a" || x.DType != dtype || x.Elems() != c.elems {
			t.Errorf("%s: read %s %s of %d elements, want %d", dtype, x.DType, x.Name, x.Elems(), c.elems)
		}
	}
	f, err := Parse("f", archive(dict("a", conjugated), "t/data/0", strings.Repeat("x", 16)))
	if err != nil || f.Tensors()[0].DType != tensor.C64 {
		t.Errorf("conjugated: %v", err)
	}
}

// TestStateUnderOtherKeys finds the only dict of tensors, whatever its name, and gives names to what is beside it.
func TestStateUnderOtherKeys(t *testing.T) {
	weights := items("a", vector(1))
	for pickle, want := range map[string]string{
		dict("app", items("model", weights, "optim", items("state", "}"))): "optim",
		dict("epoch", "K\x01", "net", weights, "optimizer", "}"):           "epoch optimizer",
		proto + "}(K\x07K\x01" + str("net") + weights + "NNu.":             "7 None",
	} {
		f, err := Parse("f", archive(pickle, "t/data/0", four))
		if err != nil {
			t.Error(err)
			continue
		}
		if got := ignored(f); len(f.Tensors()) != 1 || got != want {
			t.Errorf("%d tensors, ignored %s, want %s", len(f.Tensors()), got, want)
		}
	}
	many := items("a", vector(1))
	for range 20 {
		many += "NNs"
	}
	f, err := Parse("f", archive(proto+many+".", "t/data/0", four))
	if err != nil {
		t.Fatal(err)
	}
	if first, total := f.Ignored(); len(first) != maxIgnored || total != 20 {
		t.Errorf("ignored %q of %d, want the first %d of 20", first, total, maxIgnored)
	}
	if _, err := Parse("f", archive(dict("net", weights, "ema", weights), "t/data/0", four)); err == nil || !strings.Contains(err.Error(), `found the keys "net", "ema"`) {
		t.Errorf("two dicts of tensors: %v", err)
	}
}

// TestEvil holds pickles that would each make a file if anything in them were executed.
func TestEvil(t *testing.T) {
	canary := filepath.Join(t.TempDir(), "canary")
	command := str("touch '" + canary + "'")
	code := str("open(" + `"` + canary + `"` + ",'w')")
	asks := func(name string) string {
		return `asks for "` + name + `", which does not belong in a file of tensors; nothing was executed`
	}
	stack := func(module, name string) string { return str(module) + str(name) + "\x93" }
	for name, c := range map[string]struct{ pickle, want string }{
		"os.system":         {call(glob("os", "system"), command), asks("os.system")},
		"posix.system":      {call(glob("posix", "system"), command), asks("posix.system")},
		"nt.system":         {call(glob("nt", "system"), command), asks("nt.system")},
		"builtins.eval":     {call(glob("builtins", "eval"), code), asks("builtins.eval")},
		"__builtin__.exec":  {call(glob("__builtin__", "exec"), code), asks("__builtin__.exec")},
		"subprocess":        {call(glob("subprocess", "getoutput"), command), asks("subprocess.getoutput")},
		"stack global":      {call(stack("os", "system"), command), asks("os.system")},
		"dotted":            {call(stack("torch", "os.system"), command), asks("torch.os.system")},
		"prefix":            {call(glob("torch.storage", "os.system"), command), asks("torch.storage.os.system")},
		"ends in Storage":   {call(glob("evil", "FloatStorage"), command), asks("evil.FloatStorage")},
		"other module":      {call(glob("torch._utils", "OrderedDict"), command), asks("torch._utils.OrderedDict")},
		"split differently": {call(glob("collections.OrderedDict", ""), command), asks("collections.OrderedDict.")},
		"pickle in pickle":  {call(glob("torch.storage", "_load_from_bytes"), command), asks("torch.storage._load_from_bytes")},
		"numpy":             {call(glob("numpy.core.multiarray", "fromfile"), command), asks("numpy.core.multiarray.fromfile")},
		"numpy.load":        {call(glob("numpy", "load"), command), asks("numpy.load")},
		"getattr":           {call(glob("builtins", "getattr"), command), asks("builtins.getattr")},
		"inst":              {"(" + command + "ios\nsystem\n", asks("os.system")},
		"inst of allowed":   {"(" + command + "icollections\nOrderedDict\n", "found the pickle opcode INST"},
		"obj":               {"(" + glob("os", "system") + command + "o", asks("os.system")},
		"obj of allowed":    {"(" + glob("torch", "Size") + command + "o", "found the pickle opcode OBJ"},
		"newobj":            {glob("torch", "Size") + "(" + command + "t\x81", "found the pickle opcode NEWOBJ"},
		"newobj_ex":         {glob("torch", "Size") + "(" + command + "t}\x92", "found the pickle opcode NEWOBJ_EX"},
		"extension":         {"\x82\x01(" + command + "tR", "found the pickle opcode EXT1"},
		"text called":       {call(str("os.system"), command), "the pickle calls a str"},
		"result called":     {call(orderedDict, command), "the pickle calls an OrderedDict"},
		"storage called":    {call(glob("torch", "FloatStorage"), command), "the pickle calls torch.FloatStorage, which is not a function"},
		"hooks":             {call(rebuild, command, num(0), nums(), nums(), "\x89", call(glob("os", "system"), command)), asks("os.system")},
		"bad arguments":     {call(rebuild, command, num(0), nums(), nums(), "\x89", orderedDict), "with 6 arguments it does not take (a str, an int"},
		"parameter":         {call(glob("torch._utils", "_rebuild_parameter"), command, "\x88", orderedDict), "with 3 arguments it does not take (a str"},
		"build":             {orderedDict + command + "b", "the pickle sets attributes of an OrderedDict by a str"},
		"build of a global": {glob("torch", "Size") + items("__setstate__", command) + "b", "the pickle sets attributes of a class or function by a dict"},
		"state":             {orderedDict + items("__reduce__", call(glob("os", "system"), command)) + "b", asks("os.system")},
		"persistent id":     {"(" + str("storage") + glob("os", "system") + command + str("cpu") + "K\x01tQ", asks("os.system")},
		"module":            {"(" + str("module") + glob("torch.nn.modules.linear", "Linear") + command + command + "tQ", asks("torch.nn.modules.linear.Linear")},
		"text id":           {"Pos.system\n", "found the pickle opcode PERSID"},
		"buffer":            {"\x97", "found the pickle opcode NEXT_BUFFER"},
	} {
		for form, data := range map[string][]byte{
			"zip":      archive(proto + c.pickle + "."),
			"value":    archive(dict("a", c.pickle)),
			"deflated": deflated(proto + c.pickle + "."),
			"legacy":   legacy(proto+c.pickle+".", nil),
			"plain":    []byte(proto + c.pickle + "."),
			"magic":    append([]byte("\x80\x04"+c.pickle+"."), goodLegacy...),
		} {
			_, err := Parse("evil.bin", data)
			var format *badfile.FormatError
			var unsupported *badfile.UnsupportedError
			if !errors.As(err, &format) && !errors.As(err, &unsupported) || !strings.Contains(err.Error(), c.want) && form != "legacy" {
				t.Errorf("%s, %s: got %v\nwant %s", name, form, err, c.want)
			}
		}
	}
	if _, err := os.Stat(canary); err == nil {
		t.Error("something was executed")
	}
}

// bombs are pickles of a size that do much with few bytes; each of them once was a way to exhaust memory or time.
func bombs(n int) map[string]string {
	return map[string]string{
		"laughs":      "])q\x00a" + strings.Repeat("(h\x00h\x00h\x00h\x00h\x00h\x00tq\x00a", n/17),
		"nested list": strings.Repeat("]", n),
		"nothing":     strings.Repeat("N", n),
		"tuples":      ")" + strings.Repeat("\x85", n),
		"pairs":       ")q\x00" + strings.Repeat("h\x00\x86", n/3),
		"dicts":       "]" + strings.Repeat("}a", n/2),
		"set item":    "}" + strings.Repeat("X\x00\x00\x00\x00Ns", n/7),
		"odd keys":    "}" + strings.Repeat("("+strings.Repeat("NN", 100)+"u", n/202),
		"odd key":     "}" + strings.Repeat("NNs", n/3),
		"in turns":    "}q\x000}q\x010" + strings.Repeat("h\x00NNs0h\x01NNs0", n/12) + "h\x00",
		"set items":   "}(" + str("k") + "q\x00Nu" + strings.Repeat("("+strings.Repeat("h\x00N", 100)+"u", n/302),
		"memo":        "N" + strings.Repeat("\x94", n),
		"puts":        "N" + strings.Repeat("r\xff\xff\xff\xff", n/5),
		"put far":     "N" + farPuts(n/5),
		"marks":       strings.Repeat("(", n),
		"mark tuples": "]" + strings.Repeat("(ta", n/3),
		"name":        "c" + strings.Repeat("x", n),
		"names":       manyNames(min(n/11, maxTensors)),
		"tensors":     "}(" + str("k") + "q\x00" + vector(1) + "q\x01u" + strings.Repeat("("+strings.Repeat("h\x00h\x01", 100)+"u", n/402),
		"text length": "X\xff\xff\xff\x7f",
		"int length":  "\x8a\xff",
		"bytes8":      "\x8e\xff\xff\xff\xff\xff\xff\xff\x7f",
		"frame":       "\x95\xff\xff\xff\xff\xff\xff\xff\x7f",
	}
}

// farPuts stores n values under numbers far apart.
func farPuts(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteByte('r')
		b.Write(binary.LittleEndian.AppendUint32(nil, uint32(i)*7919+1<<20))
	}
	return b.String()
}

// manyNames is a dict of n names for one tensor.
func manyNames(n int) string {
	var b strings.Builder
	b.WriteString("}(" + str("a") + vector(1) + "q\x01")
	for i := range n - 1 {
		if i%1000 == 0 {
			b.WriteString("u(")
		}
		b.WriteString(str(string(binary.BigEndian.AppendUint32(nil, uint32(i%128+i/128%128<<8+i/128/128<<16)))) + "h\x01")
	}
	return b.String() + "u"
}

// TestBombs reads pickles of 1 MiB that are made to take memory or time.
func TestBombs(t *testing.T) {
	for name, pickle := range bombs(1 << 20) {
		data := archive(proto+pickle+".", "t/data/0", four)
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f, err := Parse("bomb.bin", data)
		runtime.ReadMemStats(&after)
		if spent := after.TotalAlloc - before.TotalAlloc; spent > memoryFor(len(data)) {
			t.Errorf("%s: %d bytes allocated for %d (%v)", name, spent, len(data), err)
		}
		if name == "names" && (err != nil || len(f.entries()) != maxTensors) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// memoryFor is what reading n bytes may take.
func memoryFor(n int) uint64 { return 1<<20 + 8*uint64(n) }
