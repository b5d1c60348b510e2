package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"
	"unsafe"
)

func TestMounted(t *testing.T) {
	t.Chdir(t.TempDir())
	const content = "in memory"
	Mount("folder", InPlace(fstest.MapFS{"a.txt": {Data: []byte(content)}, "b.gguf": {}}, map[string]string{"a.txt": content}))
	if found, err := Names("./folder/", -1); !slices.Equal(found, []string{"a.txt", "b.gguf"}) || err != nil {
		t.Errorf("names: %q, %v", found, err)
	}
	data, info, ok, err := Bytes("folder/a.txt")
	if string(data) != content || !ok || err != nil || info.Size() != int64(len(content)) {
		t.Fatalf("%q, %v, %v", data, ok, err)
	}
	if unsafe.SliceData(data) != unsafe.StringData(content) {
		t.Error("the content was copied")
	}
	_, err = Stat("folder/none")
	if path, ok := errors.AsType[*fs.PathError](err); !ok || path.Path != "folder/none" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
	// The disk comes first, and other paths are its own.
	if InMemory("folder2/a.txt") || InMemory("other") || InMemory(filepath.Join("..", "folder", "a.txt")) {
		t.Error("a path of the disk is taken for one in memory")
	}
	if err := os.Mkdir("folder", 0o777); err != nil {
		t.Fatal(err)
	}
	if names, err := Names("folder", 10); len(names) > 0 || err != nil || InMemory("folder/a.txt") {
		t.Errorf("a folder on the disk: %q, %v", names, err)
	}
}
