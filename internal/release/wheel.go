package main

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
)

// wheel packs the binary as a wheel (packaging.python.org, "Binary distribution format"): pip puts what is in the folder scripts
// on the path. No Python is in it.
func wheel(b build, papers []file) (name string, data []byte, err error) {
	version, err := pythonVersion(b.version)
	if err != nil {
		return "", nil, err
	}
	base := "gomamba-" + version
	info := base + ".dist-info/"
	files := []file{{base + ".data/scripts/" + b.exe(), 0o755, b.binary}}
	for _, paper := range papers {
		files = append(files, file{info + "licenses/" + paper.name, paper.mode, paper.data})
	}
	files = append(files, file{info + "METADATA", 0o644, metadata(version, papers)}, file{info + "WHEEL", 0o644, b.tags()})
	files = append(files, file{info + "RECORD", 0o644, record(files, info+"RECORD")})
	for i := range files {
		files[i].mode |= 0o100000 // pip copies the bits of Unix only if they say that this is a regular file
	}
	data, err = zipped(files, b.time)
	return fmt.Sprintf("%s-py3-none-%s.whl", base, b.wheel), data, err
}

func metadata(version string, papers []file) []byte {
	var m strings.Builder
	fmt.Fprintf(&m, "Metadata-Version: 2.4\nName: gomamba\nVersion: %s\n", version)
	m.WriteString("Summary: Runs, converts and checks Mamba checkpoints: one binary, without Python\n")
	m.WriteString("Project-URL: Source, https://github.com/gomamba/gomamba\n")
	m.WriteString("License-Expression: Apache-2.0\n")
	for _, paper := range papers {
		fmt.Fprintf(&m, "License-File: %s\n", paper.name)
	}
	m.WriteString("Requires-Python: >=3\n")
	return []byte(m.String())
}

// tags is the file WHEEL: one line for each platform that the name of the wheel lists.
func (b build) tags() []byte {
	text := "Wheel-Version: 1.0\nGenerator: gomamba\nRoot-Is-Purelib: false\n"
	for tag := range strings.SplitSeq(b.wheel, ".") {
		text += "Tag: py3-none-" + tag + "\n"
	}
	return []byte(text)
}

// record is the list of files, with hashes of all but itself.
func record(files []file, self string) []byte {
	var r strings.Builder
	for _, f := range files {
		hash := sha256.Sum256(f.data)
		fmt.Fprintf(&r, "%s,sha256=%s,%d\n", f.name, base64.RawURLEncoding.EncodeToString(hash[:]), len(f.data))
	}
	fmt.Fprintf(&r, "%s,,\n", self)
	return []byte(r.String())
}

var (
	// A version of a commit between tags: go.dev/ref/mod#pseudo-versions.
	pseudo = regexp.MustCompile(`^v(\d+\.\d+\.\d+)-(?:.*\.)?(?:0\.)?(\d{14})-([0-9a-f]{12})(\+dirty)?$`)
	tagged = regexp.MustCompile(`^v(\d+\.\d+\.\d+)(?:-(alpha|beta|rc)\.?(\d+))?(\+dirty)?$`)
)

// pythonVersion writes a version of a Go module in the form of PEP 440.
func pythonVersion(version string) (string, error) {
	dirty := map[string]string{"+dirty": "dirty"}
	if m := tagged.FindStringSubmatch(version); m != nil {
		result := m[1]
		if m[2] != "" {
			result += map[string]string{"alpha": "a", "beta": "b", "rc": "rc"}[m[2]] + m[3]
		}
		return strings.TrimSuffix(result+"+"+dirty[m[4]], "+"), nil
	}
	if m := pseudo.FindStringSubmatch(version); m != nil {
		return strings.TrimSuffix(m[1]+".dev"+m[2]+"+"+m[3]+"."+dirty[m[4]], "."), nil
	}
	return "", fmt.Errorf("version %q cannot be written as a Python version: expected a tag as v1.2.3 or v1.2.3-rc.1", version)
}
