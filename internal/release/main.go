// Release builds what users download: for every platform an archive with the binary, a wheel that pip installs, and
// SHA256SUMS. Its argument is the folder to write to, and after it the platforms, if not all are wanted:
//
//	release dist linux/arm64 darwin/arm64
//
// It runs at the top of the repository. Version and time are those of the commit, as Go finds them, so that the same commit
// built by the same Go gives the same bytes, on every machine and in every folder.
package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A platform is what Go calls it, and the tags that pip knows it by. A binary without cgo needs no C library, hence any
// manylinux and musllinux; Go 1.26 needs macOS 12.
type platform struct{ os, arch, wheel string }

var platforms = []platform{
	{"linux", "amd64", "manylinux_2_17_x86_64.manylinux2014_x86_64.musllinux_1_1_x86_64"},
	{"linux", "arm64", "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64"},
	{"darwin", "amd64", "macosx_12_0_x86_64"},
	{"darwin", "arm64", "macosx_12_0_arm64"},
	{"windows", "amd64", "win_amd64"},
	{"windows", "arm64", "win_arm64"},
}

func (p platform) String() string { return p.os + "/" + p.arch }

// exe is the name of the binary.
func (p platform) exe() string {
	if p.os == "windows" {
		return "gomamba.exe"
	}
	return "gomamba"
}

// build is a binary and what it says of itself.
type build struct {
	platform
	binary  []byte
	version string    // of the module, as gomamba --version prints it
	time    time.Time // of the commit
}

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("expected the folder to write to"))
	}
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "release:", err)
	os.Exit(1)
}

func run(dir string, names []string) error {
	wanted, err := choose(names)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	files := map[string][]byte{}
	for _, p := range wanted {
		b, err := compile(p)
		if err != nil {
			return err
		}
		papers, err := papersFor(p)
		if err != nil {
			return err
		}
		for _, pack := range []func(build, []file) (string, []byte, error){archive, wheel} {
			name, data, err := pack(b, papers)
			if err != nil {
				return fmt.Errorf("%v: %w", p, err)
			}
			files[name] = data
		}
	}
	files["SHA256SUMS"] = sums(files)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := os.WriteFile(filepath.Join(dir, name), files[name], 0o666); err != nil {
			return err
		}
	}
	_, err = os.Stdout.Write(files["SHA256SUMS"])
	return err
}

// choose returns the platforms of these names, or all.
func choose(names []string) ([]platform, error) {
	if len(names) == 0 {
		return platforms, nil
	}
	var chosen []platform
	for _, name := range names {
		i := slices.IndexFunc(platforms, func(p platform) bool { return p.String() == name })
		if i < 0 {
			return nil, fmt.Errorf("%q is not a platform: expected some of %v", name, platforms)
		}
		chosen = append(chosen, platforms[i])
	}
	return chosen, nil
}

// environment has nothing of the user's that changes a binary.
func (p platform) environment() []string {
	return append(os.Environ(), "GOOS="+p.os, "GOARCH="+p.arch, "CGO_ENABLED=0", "GOAMD64=v1", "GOARM64=v8.0",
		"GOFLAGS=", "GOEXPERIMENT=", "GOFIPS140=off", "GOWORK=off")
}

// compile builds the binary for p.
func compile(p platform) (build, error) {
	dir, err := os.MkdirTemp("", "gomamba-release-")
	if err != nil {
		return build{}, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, p.exe())
	c := exec.Command("go", "build", "-trimpath", "-buildvcs=true", "-ldflags=-s -w", "-o", path, "./cmd/gomamba")
	c.Env, c.Stderr = p.environment(), os.Stderr
	if err := c.Run(); err != nil {
		return build{}, fmt.Errorf("%v: %w", c, err)
	}
	b := build{platform: p}
	if b.binary, err = os.ReadFile(path); err != nil {
		return build{}, err
	}
	info, err := buildinfo.Read(bytes.NewReader(b.binary))
	if err != nil {
		return build{}, err
	}
	b.version = info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			b.time, err = time.Parse(time.RFC3339, s.Value)
		}
	}
	if err != nil || b.time.IsZero() {
		return build{}, fmt.Errorf("the binary does not say which commit it is of: build in a clone of the repository that is not a linked work tree, with git installed")
	}
	return b, nil
}

// sums lists the SHA-256 of files as sha256sum does.
func sums(files map[string][]byte) []byte {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256(files[name]), name)
	}
	return []byte(b.String())
}
