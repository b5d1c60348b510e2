package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// memoryFile is fixtures/measured/memory.json: peaks of anonymous memory over the length of the prompt. Anonymous memory
// is what a program takes for itself; mapped weights are not part of it.
type memoryFile struct {
	Measure string      `json:"measure"`
	Date    string      `json:"date"`
	Machine string      `json:"machine"`
	Threads int         `json:"threads"`
	Model   string      `json:"model"`
	Runs    []memoryRun `json:"runs"`
}

// memoryRun is one program over several lengths.
type memoryRun struct {
	Program string        `json:"program"`
	Version string        `json:"version,omitempty"`
	Start   int64         `json:"peak_anonymous_bytes_of_one_token"`
	Points  []memoryPoint `json:"points"`
}

type memoryPoint struct {
	Tokens int   `json:"tokens"`
	Bytes  int64 `json:"peak_anonymous_bytes"`
}

// boxModel is the model that memory is measured on: a trained one that every clone has.
const boxModel = "fixtures/box/model"

// The lengths of prompts: those of transformers end where its memory would crowd out everything else.
var (
	ourLengths   = []int{1000, 3000, 10_000, 30_000, 100_000, 300_000, 1_000_000}
	theirLengths = []int{1000, 3000, 10_000, 30_000}
)

// measureMemory runs ./gomamba and transformers on longer and longer prompts.
func measureMemory() error {
	const python = ".venv/bin/python"
	machine, err := processor()
	if err != nil {
		return err
	}
	version, err := exec.Command(python, "-c", "import transformers; print(transformers.__version__)").Output()
	if err != nil {
		return fmt.Errorf("%s: %w", python, err)
	}
	m := memoryFile{
		Measure: "peak anonymous memory of the process while it takes in a prompt and gives the logits of the last token",
		Date:    time.Now().UTC().Format(time.DateOnly), Machine: machine, Threads: runtime.NumCPU(), Model: boxModel,
		Runs: []memoryRun{{Program: "gomamba"}, {Program: "transformers", Version: strings.TrimSpace(string(version))}},
	}
	for i, measurement := range []struct {
		lengths []int
		command func(n string) []string
	}{
		{ourLengths, func(n string) []string {
			return []string{"./gomamba", "bench", boxModel, "-p", n, "-n", "1", "-r", "1"}
		}},
		{theirLengths, func(n string) []string { return []string{python, "fixtures/prefill.py", boxModel, n} }},
	} {
		run := &m.Runs[i]
		if run.Start, err = peakAnonymous(measurement.command("1")); err != nil {
			return err
		}
		for _, n := range measurement.lengths {
			peak, err := peakAnonymous(measurement.command(strconv.Itoa(n)))
			if err != nil {
				return err
			}
			fmt.Fprintf(os.Stderr, "%s: %d tokens, %s\n", run.Program, n, megabytes(peak))
			run.Points = append(run.Points, memoryPoint{n, peak})
		}
	}
	return writeJSON("memory.json", m)
}

var anonymous = regexp.MustCompile(`(?m)^RssAnon:\s+(\d+) kB$`)

// peakAnonymous runs a command and looks every millisecond at how much anonymous memory it holds.
func peakAnonymous(command []string) (peak int64, err error) {
	var messages bytes.Buffer
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stderr = &messages
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	status := filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), "status")
	for {
		select {
		case err := <-done:
			switch {
			case err != nil:
				err = fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), err, messages.String())
			case peak == 0:
				err = errors.New(status + ": found no RssAnon; memory is measured on Linux")
			}
			return peak, err
		case <-time.After(time.Millisecond):
			text, _ := os.ReadFile(status) // it may have ended
			if found := anonymous.FindSubmatch(text); found != nil {
				kilobytes, _ := strconv.ParseInt(string(found[1]), 10, 64) // digits
				peak = max(peak, kilobytes<<10)
			}
		}
	}
}

// processor names the machine's processor and counts its cores.
func processor() (string, error) {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return fmt.Sprintf("%s, %d cores", strings.TrimSpace(value), runtime.NumCPU()), nil
		}
	}
	return "", errors.New("/proc/cpuinfo: found no model name")
}
