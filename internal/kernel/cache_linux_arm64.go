//go:build !purego

package kernel

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// secondLevelCache returns the bytes that a core has of it, or 0 if the system does not say. Most virtual machines do not.
func secondLevelCache() int { return secondLevelOf("/sys/devices/system/cpu/cpu0/cache") }

// secondLevelOf reads a folder of Documentation/ABI/testing/sysfs-devices-system-cpu of the kernel.
func secondLevelOf(folder string) int {
	read := func(index, name string) string {
		text, _ := os.ReadFile(filepath.Join(index, name)) // no text is as good as an empty one
		return strings.TrimSpace(string(text))
	}
	indices, _ := filepath.Glob(filepath.Join(folder, "index*")) // the pattern is valid
	for _, index := range indices {
		if read(index, "level") != "2" || read(index, "type") == "Instruction" {
			continue
		}
		size, err := strconv.Atoi(strings.TrimSuffix(read(index, "size"), "K"))
		if err != nil {
			continue
		}
		return size << 10 / sharing(read(index, "shared_cpu_list"))
	}
	return 0
}

// sharing counts the processors in a list such as 0-3,8.
func sharing(list string) int {
	n := 0
	for part := range strings.SplitSeq(list, ",") {
		from, to, between := strings.Cut(part, "-")
		first, err := strconv.Atoi(from)
		if err != nil {
			continue
		}
		last := first
		if between {
			if last, err = strconv.Atoi(to); err != nil {
				continue
			}
		}
		n += max(0, last-first+1)
	}
	return max(n, 1)
}
