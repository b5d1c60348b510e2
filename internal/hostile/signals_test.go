//go:build unix && !purego

package hostile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gomamba/gomamba/internal/hub/hubtest"
)

// longWork makes inputs that take much longer than a test has: a text, a prompt of ids, and the configuration of a large
// model.
func longWork(t *testing.T, dir string) {
	t.Helper()
	ids := make([]byte, 8*400_000)
	for i := 0; i < len(ids); i += 8 {
		binary.LittleEndian.PutUint64(ids[i:], uint64(i/8%97))
	}
	header := fmt.Appendf(nil, `{"input_ids":{"dtype":"I64","shape":[1,%d],"data_offsets":[0,%d]}}`, len(ids)/8, len(ids))
	prompt := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
	if err := (files{
		"text":   bytes.Repeat([]byte("ab "), 30<<20),
		"prompt": append(prompt, ids...),
		"c.json": []byte(`{"model_type": "mamba", "hidden_size": 2048, "num_hidden_layers": 64, "vocab_size": 20000}`),
	}).write(dir); err != nil {
		t.Fatal(err)
	}
}

// silentHub is a hub that stops amid a file.
func silentHub(t *testing.T) (url string) {
	t.Helper()
	h := hubtest.New(map[string]*hubtest.Repo{"o/silent": {
		Files:  map[string][]byte{"model.safetensors": make([]byte, 1<<20)},
		Faults: map[string][]hubtest.Fault{"model.safetensors": {{Silence: time.Hour}}},
	}})
	t.Cleanup(h.Close)
	return h.URL
}

// TestSignals stops every command that can take long, at work and while it waits: it ends by that signal and leaves
// nothing but what a download resumes.
func TestSignals(t *testing.T) {
	work := t.TempDir()
	longWork(t, work)
	hub := silentHub(t)
	slowest := time.Duration(0)
	for i, line := range []string{
		"tokenize box",
		"chat box",
		"score box -",
		"score box $/text",
		"generate box -n 1 --file $/text",
		"generate box -p x -n 100000000",
		"forward box --in $/prompt --out x --logits last --cache-out y",
		"forward box --in $/prompt --out x --logits last --precision f64",
		"init $/c.json x",
		"bench box -r 100000",
		"convert box x --receipt --dtype f16 --in $/prompt",
		"demo",
		"download o/silent",
	} {
		signal := []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}[i%3]
		dir, temp := t.TempDir(), t.TempDir()
		o := start(t, command{
			Program: program, Dir: dir, Args: strings.Fields(strings.ReplaceAll(line, "$", work)), Typing: true,
			Env:    []string{"TMPDIR=" + temp, "HF_ENDPOINT=" + hub, "HF_HOME=" + t.TempDir()},
			Signal: signal, Kill: 600 * time.Millisecond,
		})
		if o.survived(t); o.Code != 128+int(signal) || !strings.HasSuffix(o.Stderr, "gomamba: stopped by a signal: "+signal.String()+"\n") {
			t.Errorf("%s: exit %d after %v: %s", line, o.Code, signal, o.Stderr)
		}
		empty(t, temp)
		if strings.HasPrefix(line, "convert") { // it had written what it compares
			os.RemoveAll(filepath.Join(dir, "x"))
		}
		empty(t, dir)
		slowest = max(slowest, o.Late)
	}
	t.Logf("at most %v after the signal", slowest.Round(time.Millisecond))
}

// TestHangupIgnored starts a command as nohup does.
func TestHangupIgnored(t *testing.T) {
	dir := t.TempDir()
	if err := (files{"text": bytes.Repeat([]byte("ab "), 1000)}).write(dir); err != nil {
		t.Fatal(err)
	}
	must(t, start(t, command{Program: program, Dir: dir, Args: []string{"score", "box", "text"}, Ignored: true,
		Signal: syscall.SIGHUP, Kill: 200 * time.Millisecond}))
}

// TestClosedPipe ends the reader of what a command writes: the command ends without a word, as by SIGPIPE.
func TestClosedPipe(t *testing.T) {
	for _, line := range []string{"generate box -p x -n 100000000", `tokenize box --text "$(yes | head -c 100000)"`, "inspect box --tensors --json"} {
		dir, temp := t.TempDir(), t.TempDir()
		cmd := exec.Command("sh", "-c", `{ "$0" `+line+`; echo $? >code; } | exec true`, program)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "TMPDIR="+temp)
		out, err := cmd.CombinedOutput()
		for range 100 { // the shell waits for the last of a pipe only
			if _, e := os.Stat(filepath.Join(dir, "code")); e == nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		code, _ := os.ReadFile(filepath.Join(dir, "code"))
		if err != nil || len(out) > 0 || string(code) != "141\n" {
			t.Errorf("%s: %v, exit %s: %s", line, err, code, out)
		}
		empty(t, temp)
	}
}
