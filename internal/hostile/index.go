package hostile

import (
	"encoding/json"
	"fmt"
	"strings"
)

// sharded is the model in two shards.
func sharded() files {
	all := Tensors("mamba")
	half := len(all) / 2
	f := files{"config.json": []byte(configHF), "a.safetensors": packed("F32", all[:half]), "b.safetensors": packed("F32", all[half:])}
	places := make(map[string]string)
	for i, t := range all {
		if places[t.Name] = "b.safetensors"; i < half {
			places[t.Name] = "a.safetensors"
		}
	}
	index, _ := json.Marshal(map[string]any{"metadata": map[string]any{"total_size": 4}, "weight_map": places}) // of strings
	f["model.safetensors.index.json"] = index
	return f
}

func indexEntries() []Entry {
	const name = "model.safetensors.index.json"
	good := string(sharded()[name])
	var list []Entry
	add := func(what, want, text string) {
		list = append(list, sharded().with(name, []byte(text)).bad("index/"+what, want))
	}
	for _, shard := range []string{"../a.safetensors", "../../../../etc/passwd", "/etc/passwd", "/dev/zero", "/proc/self/environ", "sub/a.safetensors", "./a.safetensors",
		".", "..", "", `..\\a.safetensors`, `C:\\a.safetensors`, `\u0000`, `a.safetensors\u0000.txt`, `\u001b[31ma`, "a.safetensors/", "~/a.safetensors",
		"file:///etc/passwd", "http://localhost/a.safetensors", strings.Repeat("a", 300), strings.Repeat("../", 50) + "dev/zero", "$HOME", "*.safetensors", "A.SAFETENSORS", "config.json", name} {
		add(fmt.Sprintf("shard %.40q", shard), name, strings.Replace(good, `"a.safetensors"`, `"`+shard+`"`, 1))
	}
	for _, value := range []string{"1", "null", "[]", "{}", "true", `["a.safetensors"]`} {
		add("shard "+value, name, strings.Replace(good, `"a.safetensors"`, value, 1))
	}
	for _, text := range []string{"", "{", "[]", "null", "{}", `{"weight_map": {}}`, `{"weight_map": []}`, `{"weight_map": null}`, `{"Weight_Map": {"a": "a.safetensors"}}`,
		`{"weight_map": {"a": "a.safetensors", "a": "b.safetensors"}}`, "<html>", "version https://git-lfs.github.com/spec/v1\nsize 3\n", strings.Repeat("[", 100_000),
		`{"weight_map": {"a": "` + strings.Repeat("x", 1<<20) + `"}}`, "\x00"} {
		add(fmt.Sprintf("text %.40q", text), name, text)
	}
	add("names 20,000 shards", name, manyShards(20_000))
	add("names 150,000 tensors", name, `{"weight_map":{`+manyKeys(150_000)+"}}")
	list = append(list,
		sharded().with("b.safetensors", nil).bad("index/shard missing", "b.safetensors"),
		sharded().with("b.safetensors", sharded()["a.safetensors"]).bad("index/the same shard twice", ""),
		sharded().with("b.safetensors", sharded()["b.safetensors"][:500]).bad("index/shard cut", "b.safetensors"),
		sharded().with("b.safetensors", []byte{}).bad("index/shard empty", "b.safetensors"),
		sharded().with("b.safetensors", zipOf(nil)).bad("index/shard a zip", "b.safetensors"),
		sharded().with(name, nil).bad("index/missing", name),
	)
	return list
}

// validIndexes differ from their shards in ways that no program cares about.
func validIndexes() (list []Entry) {
	const name = "model.safetensors.index.json"
	good := string(sharded()[name])
	for what, edit := range map[string][2]string{
		"names a tensor that is nowhere": {`"weight_map":{`, `"weight_map":{"backbone.nowhere":"a.safetensors",`},
		"leaves a tensor out":            {`"backbone.norm_f.weight":"b.safetensors"`, `"backbone.norm_g.weight":"b.safetensors"`},
		"puts a tensor elsewhere":        {`"backbone.norm_f.weight":"b.safetensors"`, `"backbone.norm_f.weight":"a.safetensors"`},
		"null for metadata":              {`{"total_size":4}`, "null"},
		"no metadata":                    {`"metadata":{"total_size":4},`, ""},
	} {
		list = append(list, sharded().with(name, []byte(strings.Replace(good, edit[0], edit[1], 1))).good("valid/index "+what))
	}
	return list
}

func manyShards(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"t%d":"s%d"`, i, i)
	}
	return `{"weight_map":{` + b.String()[1:] + "}}"
}
