//go:build unix && !purego

package hostile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// The peak memory that the system reports for a child begins with that of the process that starts it. So commands are
// started by this test binary run again, which stays small.

// launchEnv makes the test binary a launcher.
const launchEnv = "HOSTILE_LAUNCHER"

// command is what a launcher reads, outcome what it writes, one JSON value each.
type command struct {
	Program, Dir string
	Args, Env    []string
	Limit        uint64        // of a file's size, which a full disk looks like; 0: none
	Kill         time.Duration // after which Signal is sent; 0: never
	Signal       syscall.Signal
	Ignored      bool          // the signal, when the program begins
	Typing       bool          // standard input is open and nothing comes
	Nobody       bool          // give up root's rights
	Patience     time.Duration // after which it hangs
}

// outcome is how a command ended.
type outcome struct {
	Code           int // -1: by a signal
	Stdout, Stderr string
	Took           time.Duration
	Late           time.Duration // from the signal to the end
	Memory         int64         // bytes resident at the peak
	Hung           bool
}

// launch runs commands from standard input.
func launch() {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var c command
		if err := in.Decode(&c); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			panic(err)
		}
		if err := out.Encode(c.run()); err != nil {
			panic(err)
		}
	}
}

func (c command) run() outcome {
	ctx, cancel := context.WithTimeout(context.Background(), c.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Program, c.Args...)
	if c.Limit > 0 {
		// A shell sets the limit, in blocks of 512 bytes, for itself and what it becomes.
		cmd = exec.CommandContext(ctx, "sh", append([]string{"-c", `ulimit -f "$1"; shift; exec "$@"`, "sh", jsonNumber(c.Limit), c.Program}, c.Args...)...)
	}
	if c.Ignored {
		cmd = exec.CommandContext(ctx, "sh", append([]string{"-c", `trap "" "$1"; shift; exec "$@"`, "sh", jsonNumber(uint64(c.Signal)), c.Program}, c.Args...)...)
	}
	if c.Typing {
		if _, err := cmd.StdinPipe(); err != nil { // Wait closes it
			return outcome{Code: -2, Stderr: err.Error()}
		}
	}
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.Env = c.Dir, &stdout, &stderr, append(os.Environ(), c.Env...)
	if c.Nobody {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	if c.Signal == syscall.SIGHUP && !c.Ignored {
		caught := make(chan os.Signal, 1)
		signal.Notify(caught, c.Signal) // what these tests ignore, as under nohup, a program would ignore too
		defer signal.Stop(caught)
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return outcome{Code: -2, Stderr: err.Error()}
	}
	var sent time.Time
	if c.Signal != 0 {
		time.Sleep(c.Kill)
		sent = time.Now()
		cmd.Process.Signal(c.Signal) // it may have ended before
	}
	cmd.Wait() // how it ended is in the state
	o := outcome{Code: cmd.ProcessState.ExitCode(), Stdout: stdout.String(), Stderr: stderr.String(), Took: time.Since(start), Hung: ctx.Err() != nil}
	if c.Signal != 0 {
		o.Late = time.Since(sent)
	}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		o.Memory = int64(usage.Maxrss)
		if runtime.GOOS != "darwin" && runtime.GOOS != "ios" {
			o.Memory *= 1024
		}
	}
	return o
}

func jsonNumber(n uint64) string {
	b, _ := json.Marshal(n) // of a number
	return string(b)
}

// launcher is a running one.
type launcher struct {
	in  *json.Encoder
	out *json.Decoder
}

// idle are launchers that wait for a command.
var idle = make(chan *launcher, 64)

func newLauncher() (*launcher, error) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), launchEnv+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &launcher{json.NewEncoder(in), json.NewDecoder(out)}, cmd.Start()
}

// start runs a command to its end.
func start(t *testing.T, c command) outcome {
	t.Helper()
	var l *launcher
	select {
	case l = <-idle:
	default:
		var err error
		if l, err = newLauncher(); err != nil {
			t.Fatal(err)
		}
	}
	if c.Patience = patience; *long {
		c.Patience = longPatience
	}
	var o outcome
	if err := l.in.Encode(c); err != nil {
		t.Fatal(err)
	}
	if err := l.out.Decode(&o); err != nil {
		t.Fatal(err)
	}
	idle <- l
	if o.Code == -2 {
		t.Fatal(o.Stderr)
	}
	if o.Hung {
		t.Errorf("%q: no end within %v", c.Args, c.Patience)
	}
	return o
}

// run runs the program in a folder, with nothing on its standard input and no network.
func run(t *testing.T, cwd string, args ...string) outcome {
	t.Helper()
	return start(t, command{Program: program, Dir: cwd, Args: args, Env: []string{"HF_HUB_OFFLINE=1", "HOME=" + cwd, "HF_HOME=" + cwd}})
}
