//go:build unix

package hostile

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// replaced puts something that is not a regular file in place of one.
func replaced(f files, name, what, want string, put func(path string) error) Entry {
	return f.bad("object/"+name+" "+what, want).then(func(dir string) error {
		path := filepath.Join(dir, name)
		return errors.Join(os.Remove(path), put(path))
	})
}

// objectEntries have something else where a file belongs.
func objectEntries() []Entry {
	link := func(to string) func(path string) error {
		return func(path string) error { return os.Symlink(to, path) }
	}
	pipe := func(path string) error { return unix.Mkfifo(path, 0o644) }
	folder := func(path string) error { return os.Mkdir(path, 0o755) }
	socket := func(path string) error {
		short, err := os.MkdirTemp("", "") // the name of a socket has at most 104 bytes
		if err != nil {
			return err
		}
		defer os.RemoveAll(short)
		name := filepath.Join(short, "s")
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
		if err != nil {
			return err
		}
		l.SetUnlinkOnClose(false)
		return errors.Join(os.Rename(name, path), l.Close())
	}
	huge := func(path string) error { return errors.Join(os.WriteFile(path, nil, 0o644), os.Truncate(path, 1<<40)) }
	whole := func(content string) func(path string) error {
		return func(path string) error { return os.WriteFile(path, []byte(content), 0o644) }
	}
	places := []struct {
		f    files
		name string
	}{
		{base(), "config.json"}, {base(), "model.safetensors"}, {sharded(), "model.safetensors.index.json"}, {sharded(), "b.safetensors"},
		{torched(zipOf(saved())), "pytorch_model.bin"}, {original(), "pytorch_model.bin"}, {inGGUF(gguf("mamba").bytes()), "model.gguf"},
	}
	var list []Entry
	for i, p := range places {
		kind := func(what, want string, put func(path string) error) {
			e := replaced(p.f, p.name, what, want, put)
			if i == 5 {
				e.Name += " (original)"
			}
			list = append(list, e)
		}
		kind("a pipe", p.name, pipe)
		kind("a folder", p.name, folder)
		kind("a socket", p.name, socket)
		kind("a dangling link", p.name, link("../../blobs/nowhere"))
		kind("a link to itself", p.name, link(p.name))
		kind("a link to /dev/zero", p.name, link("/dev/zero"))
		kind("a link to /dev/null", p.name, link("/dev/null"))
		kind("a link to its folder", p.name, link("."))
		kind("1 TiB of zeros", p.name, huge)
		kind("empty", p.name, whole(""))
		kind("a git-lfs pointer", "git-lfs", whole("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 512345678\n"))
		kind("a web page", "HTML", whole("\n<!DOCTYPE html>\n<html><title>Sign in</title></html>\n"))
		kind("an S3 error", "XML", whole("<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>"))
		kind("a line of text", p.name, whole("Invalid username or password."))
		kind("a gzip", "", whole("\x1f\x8b\x08\x00"+strings.Repeat("\x03", 100)))
		kind("zeros", p.name, whole(strings.Repeat("\x00", 5000)))
	}
	for _, name := range []string{"generation_config.json", "tokenizer.json", "tokenizer.model", "special_tokens_map.json"} {
		for what, put := range map[string]func(path string) error{"a pipe": pipe, "a folder": folder, "a link to /dev/zero": link("/dev/zero"),
			"a file of the kernel's without an end": link("/proc/self/pagemap"), "1 TiB of zeros": huge} {
			e := replaced(base().with(name, []byte("{}")), name, what, name, put)
			e.Deep = true // inspect has no use for these
			list = append(list, e)
		}
	}
	list = append(list,
		files{}.bad("object/empty folder", "empty folder"),
		files{"README.md": []byte("# hello")}.bad("object/folder of something else", "README"),
		files{}.bad("object/nowhere", "nowhere").at("nowhere"),
		files{"a": nil}.bad("object/path through a file", "").at("a/b"),
		files{"x.txt": []byte("hello")}.bad("object/a text file", "x.txt").at("x.txt"),
		base().with("config.json", nil).bad("object/no config", "config.json"),
		base().with("model.safetensors", nil).bad("object/no weights", "model.safetensors"),
		files{"tokenizer.json": []byte("{}"), "config.json": []byte("{}")}.bad("object/no weights, config empty", ""),
		files{"adapter_config.json": []byte("{}"), "adapter_model.safetensors": nil}.bad("object/an adapter", "adapter"),
		files{"a.gguf": gguf("mamba").bytes(), "b.gguf": gguf("mamba").bytes()}.bad("object/two GGUF files", ""),
	)
	return list
}

// hubEntries are as the hub's cache lays files out: links into a folder of blobs.
func hubEntries() []Entry {
	const snapshot = "models--a--b/snapshots/0123abcd"
	cache := func(f files, missing string) func(dir string) error {
		return func(dir string) error {
			snap := filepath.Join(dir, snapshot)
			errs := []error{os.MkdirAll(snap, 0o755), os.MkdirAll(filepath.Join(dir, "models--a--b", "blobs"), 0o755)}
			for name, content := range f {
				if name != missing {
					errs = append(errs, os.WriteFile(filepath.Join(dir, "models--a--b", "blobs", "blob-"+name), content, 0o444))
				}
				errs = append(errs, os.Symlink("../../blobs/blob-"+name, filepath.Join(snap, name)))
			}
			return errors.Join(errs...)
		}
	}
	var list []Entry
	for name, f := range map[string]files{"safetensors": base(), "shards": sharded(), "torch": torched(zipOf(saved())), "original": original(),
		"gguf": inGGUF(gguf("mamba").bytes())} {
		list = append(list, Entry{Name: "hub/" + name, Build: cache(f, ""), Path: snapshot, Valid: true})
		for file := range f {
			list = append(list, Entry{Name: "hub/" + name + " without the blob of " + file, Build: cache(f, file), Path: snapshot, Want: file})
		}
	}
	return list
}
