package hostile

import (
	"strconv"
	"strings"
)

// The pieces of pickles, in the long forms of their opcodes.

const proto = "\x80\x02"

func text(s string) string { return "X" + string(le.AppendUint32(nil, uint32(len(s)))) + s }

func global(module, name string) string { return "c" + module + "\n" + name + "\n" }

func call(f string, args ...string) string { return f + "(" + strings.Join(args, "") + "tR" }

// integer is what the numbers of a pickle are written from: int64 where int may be too small.
type integer interface{ int | int64 }

func number[I integer](n I) string {
	if I(int32(n)) == n {
		return "J" + string(le.AppendUint32(nil, uint32(n)))
	}
	return "\x8a\x08" + string(le.AppendUint64(nil, uint64(n)))
}

func numbered[I integer](list []I) string {
	b := "("
	for _, n := range list {
		b += number(n)
	}
	return b + "t"
}

// storage is a persistent id.
func storage[I integer](class, key string, elements I) string {
	return "(" + text("storage") + global("torch", class) + text(key) + text("cpu") + number(elements) + "tQ"
}

// view is a tensor.
func view[O, S, T integer](storage string, offset O, shape []S, strides []T) string {
	return call(global("torch._utils", "_rebuild_tensor_v2"), storage, number(offset), numbered(shape), numbered(strides), "\x89",
		call(global("collections", "OrderedDict")))
}

func strides(shape []int) []int {
	list := make([]int, len(shape))
	step := 1
	for i := len(shape) - 1; i >= 0; i-- {
		list[i] = step
		step *= shape[i]
	}
	return list
}

// ordered is an OrderedDict of names and values.
func ordered(pairs ...string) string {
	b := call(global("collections", "OrderedDict")) + "("
	for i := 0; i < len(pairs); i += 2 {
		b += text(pairs[i]) + pairs[i+1]
	}
	return b + "u"
}

// pickled is the model's file with another pickle.
func pickled(pickle string) files {
	_, storages := stateDict(Tensors("mamba"))
	return torched(zipOf(torchRecords(pickle, storages...)))
}

// embedding is the model's pickle in which the embedding is another value.
func embedding(value string) files {
	whole, _ := stateDict(Tensors("mamba"))
	first := view(storage("FloatStorage", "0", vocab*width), 0, []int{vocab, width}, []int{width, 1})
	return pickled(strings.Replace(whole, first, value, 1))
}

// pickleEntries are pickles that are broken, absurd, or ask for more than tensors.
func pickleEntries() []Entry {
	var list []Entry
	whole, _ := stateDict(Tensors("mamba"))
	for name, pickle := range map[string]string{
		"empty": "", "stop only": proto + ".", "protocol 0": "N.", "protocol 1": "\x80\x01N.", "protocol 9": "\x80\x09N.", "none": proto + "N.",
		"int": proto + "K\x05.", "text": proto + text("x") + ".", "list": proto + "].", "empty dict": proto + "}.", "tuple": proto + ").",
		"truncated": whole[:len(whole)/2], "no stop": strings.TrimSuffix(whole, "."), "more after stop": whole + "N", "unknown opcode": proto + "\xfe.",
		"no mark": proto + "t.", "popped too much": proto + "00000.", "unpaired items": proto + "}(Nu.", "memo missing": proto + "h\x07.",
		"memo of 2^32": proto + "Nr\xff\xff\xff\xff.", "memo of 2^31 values": proto + "N" + strings.Repeat("r\xff\xff\xff\x7f", 3) + ".",
		"text of 4 GiB": proto + "X\xff\xff\xff\xffabc.", "text of 2^63": "\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7fabc.",
		"bytes of 4 GiB": "\x80\x03B\xff\xff\xff\xffabc.", "bytearray of 2^62": "\x80\x05\x96\x00\x00\x00\x00\x00\x00\x00\x40.",
		"frame of 2^64-1": "\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\xffN.", "long of 2 GiB": proto + "\x8b\xff\xff\xff\x7f.", "long of negative size": proto + "\x8b\xff\xff\xff\xff.",
		"text not UTF-8": proto + "X\x02\x00\x00\x00\xff\xfe.", "global without end": proto + "c" + strings.Repeat("x", 4<<20), "global of 1 MiB": proto + global(strings.Repeat("x", 1<<20), "y") + ".",
		"global with escapes": proto + global("\x1b[2Jos", "x\x07") + ".", "a million marks": proto + strings.Repeat("(", 1_000_000) + ".",
		"a million nested lists":  proto + strings.Repeat("]", 1_000_000) + strings.Repeat("a", 999_999) + ".",
		"a million nested tuples": proto + ")" + strings.Repeat("\x85", 1_000_000) + ".", "billion laughs of tuples": proto + laughs(60, "\x86") + ".",
		"billion laughs of DUP": proto + "]" + strings.Repeat("2\x86", 60) + ".", "a list that holds itself": proto + "]q\x00h\x00a.",
		"a dict that holds itself": proto + "}q\x00" + text("a") + "h\x00s.", "a tuple through its list": proto + "](q\x00h\x00ta.",
		"unhashable key": proto + "}]Ns.", "dict key of itself": proto + "}q\x00h\x00h\x00s.", "3 million NONE": proto + strings.Repeat("N", 3_000_000) + ".",
		"persistent text": proto + text("x") + "Q.", "persistent line": proto + "Px\n.", "persistent module": proto + "(" + text("module") + "NNNNtQ.",
		"persistent nested": proto + strings.Repeat("(", 1000) + strings.Repeat("tQ", 1000) + ".", "extension": proto + "\x82\x01.", "extension 4": proto + "\x84\x01\x00\x00\x00.",
		"buffer": "\x80\x05\x97.", "readonly buffer": "\x80\x05\x98.", "build of a dict": proto + "}}b.", "build of None": proto + "NNb.",
		"not a state dict": proto + ordered("a", "N", "b", "K\x01") + ".", "nested five deep": proto + strings.Repeat("}"+text("state_dict"), 9) + "}" + strings.Repeat("s", 9) + ".",
		"attribute of a class": proto + global("collections", "OrderedDict.fromkeys") + ".", "class itself": proto + global("torch", "FloatStorage") + ".",
		"float of text": proto + "Fnan\n.", "int of a million digits": proto + "I" + strings.Repeat("9", 1_000_000) + "\n.", "string with quotes": proto + "S'a'\n.", "unicode line": proto + "V\\ud800\n.",
	} {
		list = append(list, pickled(pickle).bad("pickle/"+name, "pytorch_model.bin"))
	}
	list = append(list,
		late("pickle/5 million puts", "pytorch_model.bin", func() files { return pickled(proto + "N" + strings.Repeat("q\x00", 5_000_000) + ".") }),
		late("pickle/21 million pops", "pytorch_model.bin", func() files { return pickled(proto + strings.Repeat("N0", 10_500_000) + "N.") }))
	float := func(n int) string { return storage("FloatStorage", "0", n) }
	for name, value := range map[string]string{
		"offset -1": view(float(128), -1, []int{16, 8}, []int{8, 1}), "offset 1": view(float(128), 1, []int{16, 8}, []int{8, 1}),
		"offset 2^62": view(float(128), int64(1<<62), []int{16, 8}, []int{8, 1}), "offset None": call(global("torch._utils", "_rebuild_tensor_v2"), float(128), "N", numbered([]int{16, 8}), numbered([]int{8, 1}), "\x89", "}"),
		"negative stride": view(float(128), 0, []int{16, 8}, []int{-8, 1}), "stride 2^62": view(float(128), 0, []int{16, 8}, []int64{1 << 62, 1}), "strides wrap": view(float(128), 0, []int{16, 8}, []int64{1 << 60, 1 << 60}),
		"stride 9": view(float(128), 0, []int{16, 8}, []int{9, 1}), "fewer strides": view(float(128), 0, []int{16, 8}, []int{1}), "more strides": view(float(128), 0, []int{16, 8}, []int{128, 8, 1}),
		"negative shape": view(float(128), 0, []int{-16, -8}, []int{8, 1}), "shape 2^62": view(float(128), 0, []int64{1 << 62, 8}, []int{0, 0}), "shape wraps": view(float(128), 0, []int64{1 << 32, 1 << 32}, []int{0, 0}),
		"expanded to 2^40": view(float(128), 0, []int{1 << 20, 1 << 20}, []int{0, 0}), "ten dimensions": view(float(128), 0, []int{1, 1, 1, 1, 1, 1, 1, 1, 16, 8}, []int{1, 1, 1, 1, 1, 1, 1, 1, 8, 1}),
		"shape text":       call(global("torch._utils", "_rebuild_tensor_v2"), float(128), number(0), "("+text("16")+text("8")+"t", numbered([]int{8, 1}), "\x89", "}"),
		"shape transposed": view(float(128), 0, []int{8, 16}, []int{16, 1}), "storage of 2^62": view(storage("FloatStorage", "0", int64(1<<62)), 0, []int{16, 8}, []int{8, 1}), "storage of -1": view(float(-1), 0, []int{16, 8}, []int{8, 1}),
		"storage of 127": view(float(127), 0, []int{16, 8}, []int{8, 1}), "storage of 129": view(float(129), 0, []int{16, 8}, []int{8, 1}), "storage of doubles": view(storage("DoubleStorage", "0", 128), 0, []int{16, 8}, []int{8, 1}),
		"storage of halves": view(storage("HalfStorage", "0", 128), 0, []int{16, 8}, []int{8, 1}), "storage quantized": view(storage("QInt8Storage", "0", 512), 0, []int{16, 8}, []int{8, 1}),
		"storage complex": view(storage("ComplexFloatStorage", "0", 64), 0, []int{16, 8}, []int{8, 1}), "storage unknown": view(storage("EvilStorage", "0", 128), 0, []int{16, 8}, []int{8, 1}),
		"storage ../0": view(storage("FloatStorage", "../0", 128), 0, []int{16, 8}, []int{8, 1}), "storage /etc/passwd": view(storage("FloatStorage", "/etc/passwd", 128), 0, []int{16, 8}, []int{8, 1}),
		"storage missing": view(storage("FloatStorage", "99", 128), 0, []int{16, 8}, []int{8, 1}), "storage key of control characters": view(storage("FloatStorage", "\x1b[2J\n", 128), 0, []int{16, 8}, []int{8, 1}),
		"storage as tensor": float(128), "text as tensor": text("x"), "none": "N", "a tuple": numbered([]int{1, 2}), "quantized": call(global("torch._utils", "_rebuild_qtensor"), float(128), number(0)),
		"sparse": call(global("torch._utils", "_rebuild_sparse_tensor"), "NN"), "from type": call(global("torch._tensor", "_rebuild_from_type_v2"), "NNNN"), "numpy": call(global("numpy.core.multiarray", "_reconstruct"), "NNN"),
		"parameter of parameter of None": call(global("torch._utils", "_rebuild_parameter"), call(global("torch._utils", "_rebuild_parameter"), "N\x89}"), "\x89}"),
		"too few arguments":              call(global("torch._utils", "_rebuild_tensor_v2"), "N"), "meta tensor": call(global("torch._utils", "_rebuild_meta_tensor_no_storage"), "NNNN"),
		"DTensor": call(global("torch.distributed.tensor", "DTensor"), "N"), "device": call(global("torch", "device"), text("cuda:0")), "undefined": call(global("torch", "Tensor"), ")"),
	} {
		list = append(list, embedding(value).bad("tensor/"+name, "pytorch_model.bin"))
	}
	return list
}

// laughs doubles a value n times through the memo.
func laughs(n int, pair string) string {
	b := "Nq\x00"
	for i := range n {
		b += "h" + string([]byte{byte(i)}) + "h" + string([]byte{byte(i)}) + pair + "q" + string([]byte{byte(i + 1)})
	}
	return b
}

// evilEntries are pickles that run code when they are loaded by Python's own pickle, all of it "touch Canary".
func evilEntries() []Entry {
	const touch, python = "touch " + Canary, "open('" + Canary + "','w')"
	shell := text(touch)
	attr := func(name string) string { // builtins.getattr(os, name) without the words next to each other
		return call(global("builtins", "getattr"), call(global("importlib", "import_module"), text("os")), text(name))
	}
	inner := proto + call(global("os", "system"), shell) + "."
	evil := map[string]string{
		"os.system": call(global("os", "system"), shell), "posix.system": call(global("posix", "system"), shell), "nt.system": call(global("nt", "system"), shell),
		"os.popen": call(global("os", "popen"), shell), "subprocess.Popen": call(global("subprocess", "Popen"), "]("+text("touch")+text(Canary)+"e"),
		"subprocess.run": call(global("subprocess", "run"), "]("+text("touch")+text(Canary)+"e"), "subprocess.getoutput": call(global("subprocess", "getoutput"), shell),
		"subprocess.check_output": call(global("subprocess", "check_output"), "]("+text("touch")+text(Canary)+"e"), "commands": call(global("commands", "getoutput"), shell),
		"eval": call(global("builtins", "eval"), text(python)), "exec": call(global("builtins", "exec"), text(python)), "__builtin__.eval": call(global("__builtin__", "eval"), text(python)),
		"compile": call(global("builtins", "exec"), call(global("builtins", "compile"), text(python), text("x"), text("exec"))), "open": call(global("builtins", "open"), text(Canary), text("w")),
		"io.open": call(global("io", "open"), text(Canary), text("w")), "_io.open": call(global("_io", "open"), text(Canary), text("w")), "io.FileIO": call(global("io", "FileIO"), text(Canary), text("w")),
		"getattr": call(attr("system"), shell), "importlib": call(global("builtins", "getattr"), call(global("importlib", "import_module"), text("subprocess")), text("getoutput")) + "(" + shell + "tR",
		"operator.attrgetter":   call(call(global("operator", "attrgetter"), text("system")), call(global("importlib", "import_module"), text("os"))) + "(" + shell + "tR",
		"operator.methodcaller": call(call(global("operator", "methodcaller"), text("system"), shell), call(global("importlib", "import_module"), text("os"))),
		"functools.partial":     call(call(global("functools", "partial"), global("os", "system"), shell)), "functools.reduce": call(global("functools", "reduce"), global("os", "system"), "]("+shell+shell+"e"),
		"map": call(global("builtins", "list"), call(global("builtins", "map"), global("os", "system"), "]("+shell+"e")), "runpy": call(global("runpy", "_run_code"), call(global("builtins", "compile"), text(python), text("x"), text("exec")), "}"),
		"code": call(global("code", "interact"), "N"), "pty.spawn": call(global("pty", "spawn"), "]("+text("touch")+text(Canary)+"e"), "timeit": call(global("timeit", "timeit"), text(python)),
		"cProfile.run": call(global("cProfile", "run"), text(python)), "pdb.run": call(global("pdb", "run"), text(python)), "bdb": call(global("bdb", "Bdb")), "trace": call(global("trace", "Trace")),
		"webbrowser": call(global("webbrowser", "open"), text("http://localhost/")), "pip": call(global("pip", "main"), "]("+text("list")+"e"), "shutil.copy": call(global("shutil", "copy"), text("/etc/hostname"), text(Canary)),
		"os.symlink": call(global("os", "symlink"), text("/etc/hostname"), text(Canary)), "os.mkdir": call(global("os", "mkdir"), text(Canary)), "os.open": call(global("os", "open"), text(Canary), number(0o101)),
		"pathlib": call(global("pathlib", "Path"), text(Canary)), "asyncio": call(global("asyncio", "run"), "N"), "ctypes": call(global("ctypes", "CDLL"), text("libc.so.6")), "socket": call(global("socket", "socket")),
		"torch.load": call(global("torch", "load"), text(Canary)), "torch.hub.load": call(global("torch.hub", "load"), text("x"), text("y")), "torch.save": call(global("torch", "save"), "N", text(Canary)),
		"torch.storage._load_from_bytes": call(global("torch.storage", "_load_from_bytes"), "B"+string(le.AppendUint32(nil, uint32(len(inner))))+inner),
		"pickle.loads":                   call(global("pickle", "loads"), "C"+string([]byte{byte(len(inner))})+inner), "_pickle.loads": call(global("_pickle", "loads"), "C"+string([]byte{byte(len(inner))})+inner),
		"torch.serialization": call(global("torch.serialization", "load"), text(Canary)), "torch.jit": call(global("torch.jit", "load"), text(Canary)), "torch.ops": call(global("torch", "ops.load_library"), text("x")),
		"torch._utils prefix": call(global("torch._utils", "_rebuild_tensor_v2.__globals__"), "N"), "torch.os": call(global("torch", "os.system"), shell), "torch.utils._config_module": call(global("torch.utils._config_module", "load_config"), "N"),
		"torch._inductor": call(global("torch._inductor.codecache", "compile_file"), "NNN"), "torch.utils.collect_env.run": call(global("torch.utils.collect_env", "run"), shell), "torch.testing": call(global("torch.testing._internal", "x"), "N"),
		"collections prefix": call(global("collections", "OrderedDict.__init__.__globals__"), "N"), "collections._sys": global("collections", "_sys.modules"), "collections.namedtuple": call(global("collections", "namedtuple"), text("a"), text("b")),
		"numpy": call(global("numpy.testing._private.utils", "runstring"), text(python), "}"), "numpy.load": call(global("numpy", "load"), text(Canary)), "numpy.f2py": call(global("numpy.f2py.crackfortran", "getlincoef"), text(python), "}"),
		"INST": "(" + shell + "ios\nsystem\n", "OBJ": "(" + global("os", "system") + shell + "o", "NEWOBJ": global("subprocess", "Popen") + "(" + text("touch "+Canary) + "t\x81",
		"NEWOBJ_EX": global("subprocess", "Popen") + "(" + shell + "t}\x92", "STACK_GLOBAL": text("os") + text("system") + "\x93(" + shell + "tR",
		"STACK_GLOBAL from the memo": text("os") + "q\x050" + text("system") + "q\x060h\x05h\x06\x93(" + shell + "tR", "STACK_GLOBAL of parts": text("collections") + text("OrderedDict.__class__") + "\x93(" + shell + "tR",
		"BUILD of a module": global("os", "environ") + "}" + text("PATH") + text("/tmp") + "sb", "BUILD with state": call(global("collections", "OrderedDict")) + "}" + text("__class__") + global("os", "system") + "sb",
		"a space in the module": call(global(" os", "system"), shell), "a NUL in the module": call(global("os\x00", "system"), shell), "module OS": call(global("OS", "system"), shell),
		"copyreg": call(global("copyreg", "_reconstructor"), global("os", "system"), global("builtins", "object"), "N"), "copy_reg": call(global("copy_reg", "_reconstructor"), global("os", "system"), "NN"),
		"popped again": call(global("os", "system"), shell) + "0", "types.FunctionType": call(global("types", "FunctionType"), "N}"), "lib2to3": call(global("lib2to3.pgen2.grammar", "Grammar.loads"), text(Canary)),
		"logging.config": call(global("logging.config", "_resolve"), text("os.system")), "idlelib": call(global("idlelib.pyshell", "ModifiedInterpreter.runcommand"), "N"), "doctest": call(global("doctest", "debug_script"), text(python)),
		"ensurepip": call(global("ensurepip", "_run_pip"), "]"), "site": call(global("site", "addsitedir"), text("/tmp")), "dill": call(global("dill", "loads"), "N"), "joblib": call(global("joblib", "load"), text(Canary)),
	}
	var list []Entry
	for name, code := range evil {
		first := "0" // what the code returns is dropped
		if name == "popped again" {
			first = ""
		}
		whole, _ := stateDict(Tensors("mamba"))
		list = append(list, pickled(proto+code+first+whole[len(proto):]).bad("evil/"+name, "nothing was executed"))
	}
	legacyPickle := proto + call(global("os", "system"), shell) + "."
	list = append(list,
		torched([]byte(legacyPickle)).bad("evil/a bare pickle", ""),
		torched([]byte(strings.Replace(string(legacy(Tensors("mamba"))), "\x80\x02", proto+call(global("os", "system"), shell)+"0", 1))).bad("evil/legacy, in the magic number", ""),
		torched(legacyOf(proto+call(global("posix", "system"), shell)+".", nil)).bad("evil/legacy, in the objects", ""),
		files{"config.json": []byte(configHF), "model.safetensors": []byte(legacyPickle)}.bad("evil/under the name of safetensors", "pickle"),
		files{"config.json": []byte(configOriginal), "pytorch_model.bin": pickled(legacyPickle)["pytorch_model.bin"]}.bad("evil/in the original layout", ""),
	)
	return list
}

// legacyOf is a file of the old format with these objects and storages.
func legacyOf(objects string, storages [][]byte) []byte {
	b := proto + "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19." + proto + "M\xe9\x03." + proto + "}" + text("little_endian") + "\x88s." + objects + proto + "]("
	for i := range storages {
		b += text(strconv.Itoa(i))
	}
	b += "e."
	for _, s := range storages {
		b += string(le.AppendUint64(nil, uint64(len(s)/4))) + string(s)
	}
	return []byte(b)
}

// legacy is a file of the old format with these tensors.
func legacy(tensors []Tensor) []byte {
	pickle, storages := stateDict(tensors)
	return legacyOf(strings.ReplaceAll(pickle, "tQ", "NtQ"), storages)
}

func legacyEntries() []Entry {
	const family, file = "legacy", "pytorch_model.bin"
	good := string(legacy(Tensors("mamba")))
	var list []Entry
	edit := func(name, old, new string) {
		if !strings.Contains(good, old) {
			panic(name)
		}
		list = append(list, torched([]byte(strings.Replace(good, old, new, 1))).bad(family+"/"+name, file))
	}
	edit("wrong magic", "\x6c\xfc\x9c", "\x6c\xfc\x9d")
	edit("magic of 2 GiB", "\x8a\x0a\x6c", "\x8b\xff\xff\xff\x7f\x6c")
	edit("version 1002", "M\xe9\x03", "M\xea\x03")
	edit("version text", "M\xe9\x03", text("1001"))
	edit("big-endian", text("little_endian")+"\x88", text("little_endian")+"\x89")
	edit("system a list", "}"+text("little_endian")+"\x88s", "]")
	edit("a key twice", proto+"]("+text("0"), proto+"]("+text("1"))
	edit("a key missing", proto+"]("+text("0"), proto+"](")
	edit("a key too many", proto+"]("+text("0"), proto+"]("+text("99")+text("0"))
	edit("keys not texts", proto+"]("+text("0"), proto+"](K\x00")
	edit("keys a dict", proto+"](", proto+"}(")
	size := string(le.AppendUint64(nil, vocab*width))
	edit("storage of 2^63", "e."+size, "e.\x00\x00\x00\x00\x00\x00\x00\x80")
	edit("storage of -1", "e."+size, "e.\xff\xff\xff\xff\xff\xff\xff\xff")
	edit("storage one longer", "e."+size, "e.\x81\x00\x00\x00\x00\x00\x00\x00")
	edit("storage empty", "e."+size, "e.\x00\x00\x00\x00\x00\x00\x00\x00")
	list = append(list,
		torched([]byte(good+"x")).bad(family+"/bytes at the end", file),
		torched(append(make([]byte, 257), "ustar\x0000"+strings.Repeat("\x00", 512)...)).bad(family+"/tar", "tar"),
		torched([]byte(proto+"}.")).bad(family+"/a pickle and nothing else", file),
	)
	var at []int
	for i := range good {
		if strings.HasPrefix(good[i:], "."+proto) {
			at = append(at, i, i+1, i+3)
		}
	}
	at = append(at, 1, 2, 3, len(good)/2, len(good)-1, len(good)-33, strings.Index(good, "e."+size)+2, strings.Index(good, "e."+size)+9)
	list = append(list, cuts(family, file, torched([]byte(good)), at)...)
	return list
}
